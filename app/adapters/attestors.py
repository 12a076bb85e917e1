"""Posting to whom the operator named in the settings: a time stamping authority, a witness."""

from app.adapters.unpacking import ASKED, body_of

TOTAL_SECONDS = 10.0
MOST_BYTES = 64 * 1024


async def post(url: str, media_type: str, body: bytes) -> tuple[int, str, bytes] | str:
    """Status, media type and body of the answer; or why there was none. Redirects are not followed, and nothing of the
    environment's proxies is asked. Never raises for what the other side does."""
    import asyncio

    import httpx

    headers = {"content-type": media_type, "accept-encoding": ASKED}
    try:
        async with (
            asyncio.timeout(TOTAL_SECONDS),
            httpx.AsyncClient(timeout=TOTAL_SECONDS, trust_env=False) as client,
            client.stream("POST", url, content=body, headers=headers) as answer,
        ):
            content, cut = await body_of(answer, MOST_BYTES)
            if cut:
                return f"its answer is longer than {MOST_BYTES} bytes, or badly packed"
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            return answer.status_code, kind, content
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        return f"did not answer: {str(error) or type(error).__name__}"
