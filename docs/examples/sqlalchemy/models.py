"""The desired schema. Run as a program, it prints the schema as SQL; no database is needed for that."""

from sqlalchemy import BigInteger, Enum, ForeignKey, Index, Text, create_mock_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Guild(Base):
    __tablename__ = "guilds"

    xid: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text)


class Game(Base):
    __tablename__ = "games"
    __table_args__ = (Index("ix_games_guild_xid", "guild_xid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    guild_xid: Mapped[int] = mapped_column(ForeignKey(Guild.xid, ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(
        Enum("open", "started", "closed", name="status"), server_default=text("'open'")
    )
    seats: Mapped[int] = mapped_column(server_default=text("4"))


def show(statement, *_args, **_kwargs):
    print(f"{str(statement.compile(dialect=engine.dialect)).strip()};")


engine = create_mock_engine("postgresql+psycopg://", show)

if __name__ == "__main__":
    Base.metadata.create_all(engine, checkfirst=False)
