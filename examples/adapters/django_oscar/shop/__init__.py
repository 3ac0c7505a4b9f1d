"""A django-oscar shop to put the adapter before."""
