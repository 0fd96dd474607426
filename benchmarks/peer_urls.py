"""The peers of our transfers: the same bytes, by the same server, neither encrypted nor decrypted.

For measuring only: they ask nobody for permission, what one sends is ciphertext, and what the
other takes becomes an object that no file has.
"""

from typing import IO, cast

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt

from files.vault import stored_objects

CHUNK = 256 * 1024


def stream(request: HttpRequest, name: str) -> StreamingHttpResponse:
    """An object of the store as it lies there, piece by piece."""
    storage = stored_objects.storage()
    answer = storage.client.get_object(Bucket=storage.bucket_name, Key=name)
    response = StreamingHttpResponse(answer["Body"].iter_chunks(CHUNK))
    response["Content-Length"] = str(answer["ContentLength"])
    return response


@csrf_exempt
def keep(request: HttpRequest, name: str) -> HttpResponse:
    """The body as an object of the store, as it came."""
    storage = stored_objects.storage()
    body = cast("IO[bytes]", request)
    storage.client.upload_fileobj(body, storage.bucket_name, name)
    return HttpResponse(status=204)


urlpatterns = [
    path("uploads/peer/<path:name>", keep),
    path("peer/<path:name>", stream),
    path("", include("securestore.urls")),
]
