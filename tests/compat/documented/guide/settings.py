# settings.py
INSTALLED_APPS = [
    ...,
    'channels',
]
# Point to the ASGI application
ASGI_APPLICATION = 'myproject.asgi.application'
# Channel Layer Configuration
CHANNEL_LAYERS = {
    'default': {
        'BACKEND': 'channels_redis.core.RedisChannelLayer',
        'CONFIG': {
            'hosts': [('127.0.0.1', 6379)],  # Redis server location
        },
    },
}
