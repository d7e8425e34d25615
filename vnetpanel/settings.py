"""All settings of the panel, read from the environment (docs/operations.md lists the variables).

Without any variable set this is a working panel on this machine: SQLite, a private broker and its own secrets
under var/. What cannot be read stops the start with a sentence; nothing is guessed.
"""

from __future__ import annotations

from pathlib import Path

from csp.constants import NONE, SELF

from vnetpanel import env, logs

BASE_DIR = Path(__file__).resolve().parent.parent
#: Everything that the panel writes by itself: database, broker, secrets, compressed static files.
VAR_DIR = env.envfolder("VNETPANEL_VAR", BASE_DIR / "var")

DEBUG = env.envbool("VNETPANEL_DEBUG", False)
#: The panel is reached over HTTPS (its own or a proxy's): cookies, HSTS and redirects follow.
HTTPS = env.envbool("VNETPANEL_HTTPS", False)
SECRET_KEY = env.envsecret("VNETPANEL_SECRET_KEY", VAR_DIR / "secret-key")
ALLOWED_HOSTS = env.envhosts("VNETPANEL_HOSTS", "localhost,127.0.0.1,[::1]")

INSTALLED_APPS = [
    "vnetpanel.apps.PanelConfig",
    "trust",
    "nodes",
    "networks",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "csp",
    "django_filters",
    "django_htmx",
    "django_tables2",
    "template_partials",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "vnetpanel.htmx.LoginRedirectMiddleware",
    "trust.middleware.AuditContextMiddleware",
    "trust.middleware.SessionGuardMiddleware",
    "trust.middleware.LoginFirstMiddleware",
    "vnetpanel.logs.RequestContextMiddleware",
    "networks.views.looking_back.LookingBack",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

#: A review asks for a tick for each warning, of a thousand servers for more than Django reads unless told to.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

#: Processes and threads of the web server that `manage.py up` starts.
WEB_PROCESSES = env.envint("VNETPANEL_WEB_PROCESSES", 2, 1, 64)
WEB_THREADS = env.envint("VNETPANEL_WEB_THREADS", 8, 1, 256)

ROOT_URLCONF = "vnetpanel.urls"
WSGI_APPLICATION = "vnetpanel.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "networks.context.pending",
                "vnetpanel.views.version",
            ],
            "builtins": [
                "django.templatetags.static",
                "django_htmx.templatetags.django_htmx",
                "template_partials.templatetags.partials",
                "vnetpanel.templatetags.ui",
            ],
        },
    },
]

#: What the search box finds, in this order; see vnetpanel.search.
SEARCH_PROVIDERS = ["networks.views.search.hits", "nodes.views.search.hits"]

#: Stored times that must not lie in the future for long; see vnetpanel.clock.
TIMES_COMPARED = ["trust.times.TIMES", "nodes.times.TIMES", "networks.engine.times.TIMES"]

FORM_RENDERER = "vnetpanel.form_rendering.PanelRenderer"

DATABASES = {"default": env.database(env.envstr("DATABASE_URL"), VAR_DIR / "panel.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Every page says how many edits the user's draft holds: she comes with her draft, in one query.
AUTHENTICATION_BACKENDS = ["networks.backends.UserWithDraft"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
LOGIN_URL = "login"
#: Whether every user must log in with a second factor, or whoever wants to.
TWO_FACTOR = env.envchoice("VNETPANEL_TWO_FACTOR", "optional", ("optional", "required"))
#: A session that nobody used for so long has ended.
IDLE_MINUTES = env.envint("VNETPANEL_IDLE_MINUTES", 30, 1, 1440)
#: Credentials, removing servers and the like ask for the password again when it was last given longer ago.
PROOF_MINUTES = env.envint("VNETPANEL_PROOF_MINUTES", 10, 1, 1440)
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

#: Fields of one form: the administration sends six for each role of a server group.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000

SESSION_COOKIE_NAME = "vnetpanel_session"
#: The longest that one login lasts, however busy; trust.middleware ends idle sessions long before.
SESSION_COOKIE_AGE = 12 * 3600
CSRF_COOKIE_NAME = "vnetpanel_csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
# htmx takes the token from a header that the page carries, so no script needs to read the cookie.
CSRF_COOKIE_HTTPONLY = True
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.envbool("VNETPANEL_HSTS_SUBDOMAINS", HTTPS)
SECURE_HSTS_PRELOAD = env.envbool("VNETPANEL_HSTS_PRELOAD", HTTPS)
BEHIND_PROXY = env.envbool("VNETPANEL_BEHIND_PROXY", False)
if BEHIND_PROXY:
    # Believed only where a proxy is said to overwrite the header: a client could send it as well.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        # Tabler draws check marks and arrows as data: images inside its style sheet.
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    },
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = env.envzone("VNETPANEL_TIME_ZONE", "UTC")
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "vnetpanel.assets.CompressedAssets"
    },
}
DJANGO_TABLES2_TEMPLATE = "inc/table.html"

#: The private broker's socket; used when REDIS_URL is not set.
BROKER_SOCKET = VAR_DIR / "broker.sock"
REDIS_URL = env.envstr("REDIS_URL")
CELERY_BROKER_URL = env.broker(REDIS_URL, BROKER_SOCKET)

#: Workers that `manage.py up` starts. Each server is looked at by one of them, which keeps its connection.
WORKERS = env.envint("VNETPANEL_WORKERS", 1, 1, 16)
#: Tasks that a worker runs at once; each may use more connections of the pool that they share.
CELERY_WORKER_CONCURRENCY = env.envint("VNETPANEL_WORKER_THREADS", 16, 1, 256)

#: Connections that a worker keeps open, a minute's looks over each; above it each look connects anew.
SSH_CONNECTIONS = env.envint("VNETPANEL_SSH_CONNECTIONS", 1000, 10, 20_000)

#: Whether the servers of a Change are asked who answers whom when it is done.
MEASURE_AFTER_CHANGES = env.envbool("VNETPANEL_MEASURE_AFTER_CHANGES", default=True)

#: Keys of encrypted columns, newest first; see vnetpanel.crypto.
VNETPANEL_KEYS_FILE = VAR_DIR / "keys"

LOGGING_CONFIG = None
logs.configure(
    style=env.envchoice("VNETPANEL_LOG", "auto", ("auto", "json", "console")),
    level=env.envchoice("VNETPANEL_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
    secrets=[SECRET_KEY],
)
