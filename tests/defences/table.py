"""What is taken out, part by part."""

from tests.defences import Defence
from tests.defences.access import ACCESS
from tests.defences.answers import ANSWERS
from tests.defences.console import CONSOLE
from tests.defences.content import CONTENT
from tests.defences.database import DATABASE
from tests.defences.deploy import DEPLOY
from tests.defences.digests import DIGESTS
from tests.defences.host import HOST
from tests.defences.mails import MAILS
from tests.defences.servers import SERVERS
from tests.defences.stories import STORIES

DEFENCES: tuple[Defence, ...] = (
    *HOST,
    *CONTENT,
    *STORIES,
    *MAILS,
    *DIGESTS,
    *DATABASE,
    *SERVERS,
    *ACCESS,
    *CONSOLE,
    *DEPLOY,
    *ANSWERS,
)
