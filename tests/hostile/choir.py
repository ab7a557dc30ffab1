"""A group for the cases about groups: Alice, who is its admin, Bob and Carol."""

from dataclasses import dataclass

from tests.hostile.stage import Person, Stage
from tests.scenarios.waiting import eventually

from linnet.wire.ids import GroupId, MessageId

SUNG = ("Hello, choir!", "Hello, Alice!", "Me too!")


@dataclass
class Choir:
    """A group of Alice, who is its admin, Bob and Carol; everybody has everybody's key."""

    stage: Stage
    carol: Person
    group: GroupId

    @property
    def alice(self) -> Person:
        return self.stage.alice

    @property
    def bob(self) -> Person:
        return self.stage.bob

    async def at_version(self, person: Person, version: int) -> None:
        """Wait until a person holds this version of the log."""

        async def there() -> bool:
            return (await person.client.groups.info(self.group)).version == version

        await eventually(there)

    async def all_show(self, *texts: str) -> None:
        for person in (self.alice, self.bob, self.carol):
            await person.shows_in(self.group, *texts)

    async def says(self, person: Person, text: str) -> MessageId:
        return await person.client.groups.send(self.group, text)

    async def without_carol(self) -> None:
        """Alice removes Carol, and Carol knows."""
        await self.alice.client.groups.remove(self.group, [self.carol.client.account])


async def gathered(stage: Stage) -> Choir:
    """Make the group, and have each of them say something."""
    carol = await stage.person("carol")
    people = [stage.bob.client.account, carol.client.account]
    choir = Choir(stage, carol, await stage.alice.client.groups.create(people))
    for n, person in enumerate((stage.alice, stage.bob, carol), 1):
        await choir.says(person, SUNG[n - 1])
        await choir.all_show(*SUNG[:n])
    return choir
