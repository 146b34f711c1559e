"""The plugin for QGIS: the commands of prospect as Processing algorithms."""


def classFactory(iface):
    """What QGIS asks of a plugin."""
    from .plugin import Plugin

    return Plugin()
