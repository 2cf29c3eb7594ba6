"""The pages where people write: accounts, workspaces, what is said of a latent."""

from django.urls import URLPattern, URLResolver, include, path

from featureviz.browse import (
    account_pages,
    comment_pages,
    explanation_pages,
    list_pages,
    rating_pages,
    rating_report_pages,
    share_pages,
    workspace_pages,
)

_of_latent: list[URLPattern | URLResolver] = [
    path("card", explanation_pages.card, name="latent-card"),
    path("explanations", explanation_pages.write, name="explanation-write"),
    path("explanations/<int:pk>", explanation_pages.history, name="explanation"),
    path("explanations/<int:pk>/<slug:act>", explanation_pages.act, name="explanation-act"),
    path("mark/<slug:act>", list_pages.mark, name="mark"),
    path("rate", rating_pages.begin, name="rating-begin"),
    path("comments", comment_pages.write, name="comment-write"),
    path("comments/<int:pk>/<slug:act>", comment_pages.act, name="comment-act"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("accounts/", account_pages.profile, name="profile"),
    path("accounts/activity/", account_pages.activity, name="activity"),
    path("accounts/tokens", account_pages.tokens, name="tokens"),
    path("accounts/tokens/<int:pk>/revoke", account_pages.revoke_token, name="token-revoke"),
    path("accounts/notifications/", comment_pages.notifications, name="notifications"),
    path("accounts/notifications/<int:pk>", comment_pages.follow, name="notification"),
    path("lists/", list_pages.every, name="lists"),
    path("lists/<int:pk>", list_pages.one, name="list"),
    path("lists/<int:pk>.<str:form>", list_pages.data, name="list-data"),
    path("lists/<int:pk>/change", list_pages.change, name="list-change"),
    path("lists/tag/<str:name>", list_pages.tagged, name="tagged"),
    path("rate/", rating_pages.every, name="rating-sessions"),
    path("rate/<int:pk>/", rating_pages.one, name="rating-session"),
    path("rate/<int:pk>/<int:number>", rating_pages.rate, name="rate"),
    path("rate/<int:pk>/close", rating_pages.close, name="rating-close"),
    path("rate/<int:pk>/report", rating_report_pages.report, name="rating-report"),
    path("rate/<int:pk>/report.<str:form>", rating_report_pages.data, name="rating-data"),
    path("s/", share_pages.every, name="shares"),
    path("s/link/<int:pk>", share_pages.one, name="share-link"),
    path("s/link/<int:pk>/revoke", share_pages.revoke, name="share-revoke"),
    path("s/<str:token>", share_pages.follow, name="share"),
    path("workspaces/", workspace_pages.every, name="workspaces"),
    path("workspaces/<slug:slug>/", workspace_pages.one, name="workspace"),
    path("workspaces/<slug:slug>/change", workspace_pages.change, name="workspace-change"),
    path("workspaces/join/<str:token>", workspace_pages.join, name="join"),
    path("workspaces/open/<str:token>", workspace_pages.open_link, name="workspace-link"),
    path("<model:model>/<name:dictionary>/<index:index>/", include(_of_latent)),
]
