"""The peer of our downloads: the same object, by the same server, without decrypting it.

For measuring only: it asks nobody for permission, and what it sends is ciphertext.
"""

from django.http import HttpRequest, StreamingHttpResponse
from django.urls import include, path

from files.vault import stored_objects

CHUNK = 256 * 1024


def stream(request: HttpRequest, name: str) -> StreamingHttpResponse:
    """An object of the store as it lies there, piece by piece."""
    storage = stored_objects.storage()
    answer = storage.client.get_object(Bucket=storage.bucket_name, Key=name)
    response = StreamingHttpResponse(answer["Body"].iter_chunks(CHUNK))
    response["Content-Length"] = str(answer["ContentLength"])
    return response


urlpatterns = [path("peer/<path:name>", stream), path("", include("securestore.urls"))]
