"""The way of the old setup guide, as a peer for the benchmarks.

A task is inserted and committed; then its event is published "best effort" through
the Dapr sidecar's HTTP API. A crash between the two loses the event, and so does a
sidecar or broker that is away: the client is told 201 all the same.

It is written as well as that way allows: asynchronous, with pools for the database
and for the sidecar, on uvloop and httptools. It stores the task alone, no outbox row.
"""

import logging
import os
from contextlib import asynccontextmanager
from datetime import datetime, timezone

import httpx
from fastapi import FastAPI
from pydantic import BaseModel, Field
from sqlalchemy import JSON, DateTime, Index, String, event
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

DATABASE_URL = os.environ["DATABASE_URL"]
DAPR_URL = f"http://127.0.0.1:{os.environ.get('DAPR_HTTP_PORT', '3500')}"
PUBSUB = "pubsub-kafka"
TOPIC = "task-events"
SQLITE = DATABASE_URL.startswith("sqlite")

log = logging.getLogger("guide")

# SQLite has one writer at a time: sessions that wait for one connection are faster
# than connections that collide.
engine = create_async_engine(DATABASE_URL, pool_size=1 if SQLITE else 20, max_overflow=0, pool_timeout=60)
sessions = async_sessionmaker(engine, expire_on_commit=False)

if SQLITE:

    @event.listens_for(engine.sync_engine, "connect")
    def durable(connection, _):
        """Give the file the durability that todoctl's has."""
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()


class Base(DeclarativeBase):
    pass


class Task(Base):
    __tablename__ = "tasks"
    __table_args__ = (Index("tasks_of_user", "user_id", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(String)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(2000), default="")
    completed: Mapped[bool] = mapped_column(default=False)
    priority: Mapped[str] = mapped_column(String(20), default="medium")
    tags: Mapped[list] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class TaskCreate(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2000)
    priority: str = "medium"
    tags: list[str] = []


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with httpx.AsyncClient(base_url=DAPR_URL, timeout=5.0) as client:
        app.state.dapr = client
        yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def publish(event_type: str, task: Task) -> None:
    """Tell the topic, best effort: a failure is logged, and the event is lost."""
    body = {
        "event_type": event_type,
        "timestamp": datetime.now(timezone.utc).isoformat(),
        "user_id": task.user_id,
        "data": {
            "task_id": task.id,
            "title": task.title,
            "description": task.description,
            "completed": task.completed,
            "priority": task.priority,
            "tags": task.tags,
            "created_at": task.created_at.isoformat(),
            "updated_at": task.updated_at.isoformat(),
        },
    }
    try:
        answer = await app.state.dapr.post(f"/v1.0/publish/{PUBSUB}/{TOPIC}", json=body)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        log.warning("event not published: %s", error)


@app.get("/health")
async def health():
    return {"status": "ok"}


@app.post("/api/{user_id}/tasks", status_code=201)
async def create_task(user_id: str, body: TaskCreate):
    now = datetime.now(timezone.utc)
    task = Task(user_id=user_id, completed=False, created_at=now, updated_at=now, **body.model_dump())
    async with sessions() as session:
        session.add(task)
        await session.commit()
    await publish("task.created", task)
    return {
        "id": task.id,
        "user_id": task.user_id,
        "title": task.title,
        "description": task.description,
        "completed": task.completed,
        "priority": task.priority,
        "tags": task.tags,
        "created_at": task.created_at,
        "updated_at": task.updated_at,
    }
