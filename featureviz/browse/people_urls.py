"""The pages of people: accounts, workspaces."""

from django.urls import path

from featureviz.browse import account_pages, workspace_pages

urlpatterns = [
    path("accounts/", account_pages.profile, name="profile"),
    path("workspaces/", workspace_pages.every, name="workspaces"),
    path("workspaces/<slug:slug>/", workspace_pages.one, name="workspace"),
    path("workspaces/<slug:slug>/change", workspace_pages.change, name="workspace-change"),
    path("workspaces/join/<str:token>", workspace_pages.join, name="join"),
    path("workspaces/open/<str:token>", workspace_pages.open_link, name="workspace-link"),
]
