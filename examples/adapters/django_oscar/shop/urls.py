"""The shop's addresses: the REST API, and where an account gets its token."""

from django.urls import include, path
from rest_framework.authtoken.views import obtain_auth_token

urlpatterns = [path("api/token/", obtain_auth_token), path("api/", include("oscarapi.urls"))]
