"""The audit log: what was changed, by whom, before and after (docs/adr/0011).

actor     who acts, told to the database before it is written to
watch     which tables are watched, for migrations
logins    what no table tells: logins and their failures
chain     whether the log is whole
"""

from sites.audit.actor import Actor, acting, on_behalf_of

__all__ = ["Actor", "acting", "on_behalf_of"]
