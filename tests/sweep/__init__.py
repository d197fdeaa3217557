"""The proof that provisioning cannot be half-done: whole lives of an account and its site, struck.

A life goes up, is changed, gets smaller, grows again and goes down; each stage is struck, resumed
until it is done, and what AWS then lists is compared with an undisturbed life. A call is what goes
over the wire: what the SDK sends again counts as one, and meets chance as well.

A change (what may change something on AWS) is struck in every mode: killed before, killed after,
its answer lost, refused. Reads are

- lost and refused, each when it is asked for the first time in its stage;
- throttled and unavailable by chance, like everything else;
- never killed by themselves: between two changes are only reads and records of what they said, so
  a kill there is the kill after the one change or before the other.

A third of the changes is also answered in AWS's place, with nothing or with half a document. Such
an answer has to be found out, not named: the operation tries again whatever was raised.

The cloud is the local one, with its delays and refusals, one for each life that runs; the engine's
clock is set, so its waits cost nothing; so is the SDK's time between two attempts.
"""
