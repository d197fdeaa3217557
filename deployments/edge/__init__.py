"""What the edge is told: the values of a site's KeyValueStore, which its router reads.

edge_index    which object a path means in each release
edge_rules    redirect rules and passwords as values
index_shape   which index the heads of a site name, and what else is in its store
index_rows    the index as rows, and in the store
head_rules    the rules that heads refer to
heads         which head each host of a site has
room          whether a release fits, told before anything is uploaded
verification  ask the edge, as visitors do, whether it serves what was deployed
"""
