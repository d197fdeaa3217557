"""The data plane of CloudFront: what a visitor's browser talks to."""
