# kafka-python as a client: BROKER produce TOPIC fnv1a|default, or BROKER consume COUNT TOPIC...
# Records are lines: KEY, a tab, VALUE; of those read, the partition comes first.
import sys
from itertools import islice

from kafka import KafkaConsumer, KafkaProducer


def fnv1a(key, partitions, available):
    """The partition on which Sarama, so Dapr, puts a key."""
    h = 0x811C9DC5
    for byte in key:
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return partitions[(h if h < 1 << 31 else (1 << 32) - h) % len(partitions)]


def produce(broker, topic, partitioner):
    settings = {"partitioner": fnv1a} if partitioner == "fnv1a" else {}
    producer = KafkaProducer(bootstrap_servers=broker, acks="all", **settings)
    sent = []
    for line in sys.stdin.buffer:
        key, value = line.rstrip(b"\n").split(b"\t")
        sent.append(producer.send(topic, key=key, value=value))
    for record in sent:
        record.get(timeout=30)
    producer.close()


def consume(broker, count, *topics):
    consumer = KafkaConsumer(*topics, bootstrap_servers=broker, auto_offset_reset="earliest", group_id=None)
    for record in islice(consumer, int(count)):
        sys.stdout.buffer.write(b"%d\t%s\t%s\n" % (record.partition, record.key, record.value))
    consumer.close()


broker, command, *rest = sys.argv[1:]
{"produce": produce, "consume": consume}[command](broker, *rest)
