"""One file of a site: what its name tells, and what happens to it on its way into the bucket.

content_types  what it is
caching        for how long it is kept by browsers and by the edge
stat_cache     what it hashed to when it was read last
injection      the counter's snippet, put into pages
"""
