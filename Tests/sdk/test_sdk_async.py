"""Many calls at once, through the official asynchronous SDK."""

import asyncio

CALLS = 200


def pairs(number):
    """A set of 1 to 16 pairs that tells which call sent it, and how many pairs it had."""
    count = number % 16 + 1
    return {f"{key} of {count}": str(number) for key in range(count)}


def test_concurrent_updates_of_one_conversation_leave_one_of_the_sets(server):
    async def update_all():
        async with server.async_client() as client:
            id = (await client.conversations.create(metadata=pairs(CALLS))).id
            answers = await asyncio.gather(*(
                client.conversations.update(id, metadata=pairs(number))
                for number in range(CALLS)))
            return answers, await client.conversations.retrieve(id)

    answers, last = asyncio.run(update_all())
    for number, answer in enumerate(answers):
        assert answer.metadata == pairs(number)
    assert last.metadata in [pairs(number) for number in range(CALLS)]


def test_readers_beside_updates_see_whole_sets(server):
    async def update_and_read():
        async with server.async_client() as client:
            id = (await client.conversations.create(metadata=pairs(CALLS))).id
            calls = []
            for number in range(CALLS):
                calls.append(client.conversations.update(id, metadata=pairs(number)))
                calls.append(client.conversations.retrieve(id))
            return (await asyncio.gather(*calls))[1::2]

    whole = [pairs(number) for number in range(CALLS + 1)]
    for seen in asyncio.run(update_and_read()):
        assert seen.metadata in whole


def test_concurrent_updates_of_different_conversations_are_all_stored(server):
    async def update_all():
        async with server.async_client() as client:
            created = await asyncio.gather(*(
                client.conversations.create() for _ in range(CALLS)))
            await asyncio.gather(*(
                client.conversations.update(conversation.id, metadata=pairs(number))
                for number, conversation in enumerate(created)))
            return await asyncio.gather(*(
                client.conversations.retrieve(conversation.id) for conversation in created))

    conversations = asyncio.run(update_all())
    assert len({conversation.id for conversation in conversations}) == CALLS
    for number, conversation in enumerate(conversations):
        assert conversation.metadata == pairs(number)


def test_a_refused_update_among_many_spoils_nobody_else_s(server):
    async def update_all():
        async with server.async_client() as client:
            ids = [conversation.id for conversation in await asyncio.gather(*(
                client.conversations.create(metadata=pairs(number)) for number in range(CALLS)))]
            missing = "conv_" + 48 * "f"
            results = await asyncio.gather(*(
                client.conversations.update(
                    missing if number % 4 == 0 else id, metadata=pairs(number + 1))
                for number, id in enumerate(ids)), return_exceptions=True)
            stored = await asyncio.gather(*map(client.conversations.retrieve, ids))
            return results, stored

    results, stored = asyncio.run(update_all())
    for number, (result, conversation) in enumerate(zip(results, stored, strict=True)):
        if number % 4 == 0:
            assert result.status_code == 404
            assert conversation.metadata == pairs(number)
        else:
            assert conversation.metadata == pairs(number + 1)
