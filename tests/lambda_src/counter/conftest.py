from tests.lambda_src.counter.containers import connection, counter, counter_url, environment

__all__ = ["connection", "counter", "counter_url", "environment"]
