import uuid

from django.db import migrations, models

KEYED = ("explanation", "comment", "latentlist", "sharelink")


def give_keys(apps, schema_editor):
    for name in KEYED:
        model = apps.get_model("annotate", name)
        for pk in list(model.objects.filter(uuid=None).values_list("pk", flat=True)):
            model.objects.filter(pk=pk).update(uuid=uuid.uuid4())


def field(**options):
    return models.UUIDField(default=uuid.uuid4, editable=False, **options)


class Migration(migrations.Migration):

    dependencies = [("annotate", "0006_ratings")]

    operations = [
        *[
            migrations.AddField(
                model_name=name, name="uuid", field=models.UUIDField(null=True, editable=False)
            )
            for name in KEYED
        ],
        migrations.RunPython(give_keys, migrations.RunPython.noop),
        *[
            migrations.AlterField(model_name=name, name="uuid", field=field(unique=True))
            for name in KEYED
        ],
    ]
