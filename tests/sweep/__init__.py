"""The proof that provisioning cannot be half-done: whole lives of an account and its site, struck.

A life goes up, is changed, gets smaller, grows again and goes down; each stage is struck, resumed
until it is done, and what AWS then lists is compared with an undisturbed life. A call is what goes
over the wire: what the SDK sends again is a call of its own and can be struck as well.

A change (what may change something on AWS) is struck one by one in every mode. Of the reads:

- refused, lost: several in each life, since each is on its own;
- killed: several in each life. Between two changes are only reads and records of what they said, so
  a kill there is the kill after the one change or before the other;
- throttled, unavailable: by chance, like everything else.

The cloud is the local one, with its delays and refusals, one for each life that runs; the engine's
clock is set, so its waits cost nothing; so is the SDK's time between two attempts.
"""
