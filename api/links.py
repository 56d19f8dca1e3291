"""Links of the OpenAPI document (3.1, Link Object): what can be asked about what an operation has made."""

from typing import Any

_JOBS, _UPLOADS, _MESSAGES = "/api/v1/jobs", "/api/v1/uploads", "/api/v1/messages"
_PLAYBACK = "/api/v1/media/videos/{video_id}/playback"
_JOB = {"job_id": "$response.body#/job_id"}
_UPLOAD = {"upload_id": "$response.body#/upload_id"}
_VIDEO = {"video_id": "$request.path.video_id"}
_TOKEN = {"token": "$response.body#/token"}

# The POST that makes something; parameters; the operations that take them, some with a body.
_FOLLOWED: tuple[tuple[str, dict[str, str], dict[str, dict[str, Any] | None]], ...] = (
    (
        _JOBS,
        _JOB,
        {
            f"get {_JOBS}/{{job_id}}": None,
            f"get {_JOBS}/{{job_id}}/log": None,
            f"post {_JOBS}/{{job_id}}/cancel": None,
        },
    ),
    (
        _UPLOADS,
        _UPLOAD,
        {
            f"get {_UPLOADS}/{{upload_id}}": None,
            f"post {_UPLOADS}/{{upload_id}}/parts": {"numbers": [1]},
            f"post {_UPLOADS}/{{upload_id}}/complete": None,
            f"delete {_UPLOADS}/{{upload_id}}": None,
        },
    ),
    (f"{_UPLOADS}/{{upload_id}}/complete", {}, {"post /api/v1/videos": _UPLOAD}),
    (
        f"{_MESSAGES}/",
        _JOB,
        {
            f"get {_MESSAGES}/{{job_id}}/": None,
            f"get {_MESSAGES}/{{job_id}}/recipients/": None,
            f"post {_MESSAGES}/{{job_id}}/cancel/": None,
        },
    ),
    (
        f"{_PLAYBACK}/start/",
        _VIDEO,
        {
            f"post {_PLAYBACK}/refresh/": _TOKEN,
            f"post {_PLAYBACK}/heartbeat/": _TOKEN | {"position": 0},
            f"post {_PLAYBACK}/events/": _TOKEN | {"events": []},
            f"post {_PLAYBACK}/end/": _TOKEN,
        },
    ),
)


def add(paths: dict[str, Any]) -> None:
    for path, parameters, followers in _FOLLOWED:
        answers = paths[path]["post"]["responses"]
        made = next(answer for status, answer in answers.items() if status.startswith("2"))
        made["links"] = {
            follower: _link(paths, follower, parameters, body) for follower, body in followers.items()
        }


def _link(
    paths: dict[str, Any], follower: str, parameters: dict[str, str], body: dict[str, Any] | None
) -> dict[str, Any]:
    method, _, path = follower.partition(" ")
    link = {"operationId": paths[path][method]["operationId"], "parameters": parameters}
    return link | {"requestBody": body} if body else link
