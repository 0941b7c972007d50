"""The way of a bundle from aiokafka's thread to its stream: as stock, without its timers and helper tasks.

At low rates a bundle is one record, and what it costs to hand it over is most of what it costs.
"""

import asyncio
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP


class DirectThread(driver.AIOKafkaConsumerThread):
    """Fetches by one hop to the thread and one back."""

    async def getmany(self, active_partitions: Any, timeout: float) -> Any:
        """Records by partition, as stock.

        Stock puts the call on a queue whose workers wait by three tasks each (mode threads.py:339, services.py:758).
        """
        consumer: Any = self._ensure_consumer()
        fetch = self._fetch_records(consumer, active_partitions, timeout=timeout, max_records=consumer._max_poll_records)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(fetch, self.thread_loop))


class DirectConsumer(driver.Consumer):
    """Hands bundles to their streams."""

    transport: Any

    async def _drain_messages(self, fetcher: Any) -> None:
        """Fetch and deliver until consumer or fetcher stop.

        Stock makes a timer per poll (`Service.sleep(0)`) and four tasks per message (consumer.py:1192, 1210), and keeps gaps,
        which we do not (`Consumer._add_gap`).
        """
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                async for tp, message in self.getmany(timeout=1.0):
                    await self._deliver(tp, message)
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise
        except Exception as error:
            self.log.exception("fetching stopped: %r", error)
            raise

    async def _deliver(self, tp: TP, message: Any) -> None:
        """Hand one message to its stream; a suspended flow ends the wait for room, and the seek that follows brings it again."""
        known = self._read_offset[tp]
        if known is not None and message.offset < known:
            self.log.debug("dropped: %s[%d] offset %d", message.topic, message.partition, message.offset)
            return
        delivery = asyncio.ensure_future(self.callback(message))
        await asyncio.sleep(0)  # enough where the stream has room
        if delivery.done():
            delivery.result()
        else:
            await self.wait_first(delivery, self.suspend_flow.wait())
        self._read_offset[tp] = message.offset
