"""What a person can mend: one line that says what, where, and how."""


class EngineError(ValueError):
    """Bad input; its message is for people."""


class DeviceError(EngineError):
    """A device that is not there."""


class CorpusError(EngineError):
    """A text that cannot become a corpus."""


class SubjectError(EngineError):
    """A language model that cannot be loaded, or a hook point it does not have."""


class DictionaryError(EngineError):
    """A dictionary that cannot be loaded, or does not fit its model."""


class RelationError(EngineError):
    """Two runs that cannot be compared, or no longer."""


class EmbeddingError(EngineError):
    """A model that cannot turn texts into vectors."""


class TextError(EngineError):
    """A typed text that the model cannot read."""
