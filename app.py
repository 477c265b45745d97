"""Entry for `flask --app app` and for WSGI servers; nothing else."""

from portal.bootstrap import create_app

app = create_app()
