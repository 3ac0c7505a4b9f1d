"""The durable queue: intents on disk before anything else happens to them."""

from reference_client.queue.queue_file import QueueFile

__all__ = ["QueueFile"]
