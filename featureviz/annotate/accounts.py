"""Who may open an account, as FEATUREVIZ_SIGNUP says."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.http import HttpRequest

from featureviz.annotate import workspaces

INVITED = "invitation"  # in the session: the token of the invitation that was followed


def may_sign_up(request: HttpRequest) -> bool:
    """Everybody, whoever was invited, or nobody."""
    if settings.FEATUREVIZ_SIGNUP == "invitation":
        return workspaces.valid_invitation(request.session.get(INVITED, "")) is not None
    return settings.FEATUREVIZ_SIGNUP == "open"


class Accounts(DefaultAccountAdapter):
    """Accounts with a password."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether this visitor may open one."""
        return may_sign_up(request)


class ProviderAccounts(DefaultSocialAccountAdapter):
    """Accounts that another site vouches for."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Whether this visitor may open one."""
        return may_sign_up(request)
