"""Asking a model about a picture."""

import base64
from pathlib import Path
from typing import Any

from activities.ai.inference.asking import Answer, filled_in, usable
from activities.host.threads import in_thread
from clients.inference import Models

TEMPERATURE = 0.2


async def look(models: Models, picture: Path, question: str, answer: type[Answer]) -> dict[str, Any]:
    """The vision model's `answer` to a question about a JPEG. Raises ModelError's kinds."""
    data = base64.b64encode(await in_thread(picture.read_bytes)).decode()
    content = [
        {"type": "text", "text": question},
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}},
    ]
    messages = [{"role": "user", "content": content}]

    async def ask() -> Answer:
        text = await models.chat("handwriting", messages, answer.model_json_schema(), temperature=TEMPERATURE)
        return filled_in(answer, text)

    return (await usable(ask)).model_dump()
