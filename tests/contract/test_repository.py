"""What every repository does, whatever stores the documents."""

import datetime as dt
import itertools

import pytest
from repository_models import Item, Other, Part, Thing, later

from backproof.domain.documents import Change, Condition, Op, Order, Repository, eq, is_in
from backproof.errors import InvalidInput

HOSTILE = [
    "'; DROP TABLE things; --",
    'quote " and \\ backslash',
    "$.status",
    "%_*?[]{}",
    "한국어 · Ωmega · 👩‍🚀",
    "e\u0301 is not \u00e9",
    " leading and trailing ",
    "line\nbreak\ttab",
    "\u202ereversed",
    "null",
    "1",
    "",
    "x" * 10_000,
]


async def ids(repository: Repository, *where: Condition, order: Order | None = None) -> list[str]:
    return [thing.id for thing in await repository.find(Thing, where, order)]


# ---- add and get ------------------------------------------------------------------------------------------------


async def test_a_document_comes_back_as_it_went_in(repository: Repository) -> None:
    thing = Thing(
        id="a",
        score=0.1 + 0.2,
        flag=True,
        day=dt.date(2005, 2, 28),
        created_at=dt.datetime(2026, 11, 24, 12, 0, 0, 7, tzinfo=dt.UTC),
        part=Part(name="p", pid=1),
        worker=Part(name="w"),
        tags=("x", "y"),
        items=(Item(seq=1, text="t"),),
        metrics={"sharpe": 1.25, "calmar": None},
        data={"nested": {"list": [1, 2.5, None, True, {"deep": "한"}]}, "large": 2**53},
    )
    assert await repository.add(thing)
    assert await repository.get(Thing, "a") == thing


async def test_adding_an_id_twice_changes_nothing(repository: Repository) -> None:
    assert await repository.add(Thing(id="a", status="first"))
    assert not await repository.add(Thing(id="a", status="second"))
    found = await repository.get(Thing, "a")
    assert found is not None
    assert found.status == "first"


async def test_the_same_id_may_be_in_two_collections(repository: Repository) -> None:
    assert await repository.add(Thing(id="a"))
    assert await repository.add(Other(id="a", text="other"))
    assert await repository.get(Other, "a") == Other(id="a", text="other")


async def test_what_is_not_there_is_none(repository: Repository) -> None:
    assert await repository.get(Thing, "nothing") is None
    assert await repository.update(Thing, "nothing", (), Change(set={"status": "x"})) is None
    assert await repository.get(Thing, "\ud800") is None  # no UTF-8, so nothing can be called that
    assert await repository.update(Thing, "\ud800", (), Change(set={"status": "x"})) is None


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_any_text_is_only_a_value(repository: Repository, text: str) -> None:
    thing = Thing(id=text or "empty", status=text, tags=(text,), part=Part(name=text), data={text: text})
    await repository.add(Thing(id="other"))
    await repository.add(thing)
    assert await repository.get(Thing, thing.id) == thing
    assert await ids(repository, eq("status", text)) == [thing.id]
    assert await ids(repository, eq("part.name", text), is_in("status", (text, "nothing"))) == [thing.id]
    assert await ids(repository, Condition("tags", Op.CONTAINS, text)) == [thing.id]
    changed = await repository.update(Thing, thing.id, (eq("status", text),), Change(set={"part": Part(name=text * 2)}))
    assert changed is not None
    assert changed.part.name == text * 2
    assert await repository.count(Thing) == 2


async def test_a_nul_in_a_text_is_kept_and_never_matched_by_accident(repository: Repository) -> None:
    await repository.add(Thing(id="a", part=Part(name="x\0y")))
    found = await repository.get(Thing, "a")
    assert found is not None
    assert found.part.name == "x\0y"
    assert await ids(repository, eq("part.name", "x\0z")) == []


# ---- conditions -------------------------------------------------------------------------------------------------


async def test_equality_knows_types_and_null(repository: Repository) -> None:
    await repository.add(Thing(id="a", score=1.0, flag=True, worker=Part(pid=5), metrics={"sharpe": 2.0}))
    await repository.add(Thing(id="b", score=None, flag=False, worker=None, metrics={"sharpe": None}))
    await repository.add(Thing(id="c", score=0.0, worker=Part(pid=None), metrics=None))
    assert await ids(repository, eq("score", 1)) == ["a"]
    assert await ids(repository, eq("score", None)) == ["b"]
    assert await ids(repository, eq("flag", True)) == ["a"]
    assert await ids(repository, eq("flag", False)) == ["b", "c"]
    assert await ids(repository, eq("worker.pid", None)) == ["b", "c"]
    assert await ids(repository, eq("worker.pid", 5)) == ["a"]
    assert await ids(repository, eq("metrics.sharpe", None)) == ["b", "c"]
    assert await ids(repository, eq("status", "1")) == []
    assert await ids(repository, Condition("score", Op.NE, None)) == ["a", "c"]
    assert await ids(repository, Condition("score", Op.NE, 1.0)) == ["b", "c"]  # a missing value is not equal either


async def test_in_takes_any_number_of_values(repository: Repository) -> None:
    for n in range(5):
        await repository.add(Thing(id=f"t{n}", fence=n, score=None if n == 0 else float(n)))
    assert await ids(repository, is_in("fence", (1, 3, 99))) == ["t1", "t3"]
    assert await ids(repository, is_in("fence", ())) == []
    assert await ids(repository, is_in("score", (None, 2.0))) == ["t0", "t2"]
    assert await ids(repository, is_in("fence", tuple(range(3, 40_000)))) == ["t3", "t4"]
    assert await ids(repository, is_in("id", ("t4", "nothing", "\ud800"))) == ["t4"]


async def test_ranges_leave_out_what_has_no_value(repository: Repository) -> None:
    for name, score in (("a", -1.5), ("b", 0.0), ("c", 1.5), ("d", None)):
        await repository.add(Thing(id=name, score=score))
    assert await ids(repository, Condition("score", Op.GT, 0)) == ["c"]
    assert await ids(repository, Condition("score", Op.GTE, 0)) == ["b", "c"]
    assert await ids(repository, Condition("score", Op.LT, 0)) == ["a"]
    assert await ids(repository, Condition("score", Op.LTE, 0.0)) == ["a", "b"]
    assert await ids(repository, Condition("score", Op.GTE, -1), Condition("score", Op.LT, 1)) == ["b"]
    assert await ids(repository, Condition("score", Op.LT, 2**70)) == ["a", "b", "c"]
    assert await ids(repository, Condition("score", Op.GT, float("nan"))) == []
    assert await ids(repository, Condition("score", Op.LT, None)) == []


async def test_moments_compare_as_time_in_any_zone(repository: Repository) -> None:
    seoul = dt.timezone(dt.timedelta(hours=9))
    await repository.add(Thing(id="early", created_at=later(0)))
    await repository.add(Thing(id="whole", created_at=later(1)))
    await repository.add(Thing(id="later", created_at=later(1.000001)))
    moment = later(1).astimezone(seoul)
    assert await ids(repository, eq("created_at", moment)) == ["whole"]
    assert await ids(repository, Condition("created_at", Op.GT, moment)) == ["later"]
    assert await ids(repository, Condition("created_at", Op.LT, moment)) == ["early"]
    assert await ids(repository, order=Order("created_at")) == ["early", "whole", "later"]


async def test_days_compare_as_days(repository: Repository) -> None:
    await repository.add(Thing(id="a", day=dt.date(2005, 2, 28)))
    await repository.add(Thing(id="b", day=dt.date(2005, 3, 1)))
    assert await ids(repository, Condition("day", Op.GT, dt.date(2005, 2, 28))) == ["b"]
    assert await ids(repository, eq("day", dt.date(2005, 2, 28))) == ["a"]


async def test_contains_looks_into_arrays(repository: Repository) -> None:
    await repository.add(Thing(id="a", tags=("x", "y")))
    await repository.add(Thing(id="b", tags=("xy",)))
    await repository.add(Thing(id="c"))
    assert await ids(repository, Condition("tags", Op.CONTAINS, "x")) == ["a"]
    assert await ids(repository, Condition("tags", Op.CONTAINS, "x"), Condition("tags", Op.CONTAINS, "y")) == ["a"]
    assert await ids(repository, Condition("tags", Op.CONTAINS, "z")) == []
    with pytest.raises(ValueError, match="not an array"):
        await repository.find(Thing, (Condition("status", Op.CONTAINS, "n"),))


ARRAYS = (
    ("a",), ("a", "b"), ('"a"',), ('x"a',), ("x,", "y"), ("x[",), (",",), ('","',), ("[", "]"), ("", "a b"), ("",),
    ("\\",), ("a\\",), ("\n",), ("a\n",), ("한글", "é"), ("e\u0301",), ("</a>",), ("\u2028", "\x7f"), ("a" * 3000,), (),
)  # fmt: skip


async def test_contains_is_exact_whatever_the_texts_hold(repository: Repository) -> None:
    for n, tags in enumerate(ARRAYS):
        await repository.add(Thing(id=f"t{n:02d}", tags=tags))
        await repository.update(Thing, f"t{n:02d}", (), Change(push={"tags": ("pushed",)}))
    for value in {value for tags in ARRAYS for value in tags} | {"]", "x", ",x", '"', "pushed", "push", "A", "a,b"}:
        expected = [f"t{n:02d}" for n, tags in enumerate(ARRAYS) if value in (*tags, "pushed")]
        assert await ids(repository, Condition("tags", Op.CONTAINS, value)) == expected, value


async def test_beginnings_of_texts_in_arrays_are_exact(repository: Repository) -> None:
    for n, tags in enumerate(ARRAYS):
        await repository.add(Thing(id=f"t{n:02d}", tags=tags))
    texts = {value for tags in ARRAYS for value in tags} | {"]", "x", ",x", '"', "A", "a,", "한", "e", "</"}
    for text in texts | {value[:1] for value in texts} | {value[1:] for value in texts}:
        expected = [f"t{n:02d}" for n, tags in enumerate(ARRAYS) if any(tag.startswith(text) for tag in tags)]
        assert await ids(repository, Condition("tags", Op.CONTAINS_PREFIX, text)) == expected, text
    for field in ("items", "data", "status"):
        with pytest.raises(ValueError, match="not an array of texts"):
            await repository.find(Thing, (Condition(field, Op.CONTAINS_PREFIX, "n"),))


async def test_prefixes_are_exact(repository: Repository) -> None:
    names = ("run", "run-1", "run_1", "Run-2", "ru", "run\U0010ffff", "rv", "러")
    for name in names:
        await repository.add(Thing(id=name, part=Part(name=name)))
    for prefix in ("run", "ru", "R", "러", "%", "", "run\U0010ffff", "\U0010ffff", "run-12"):
        expected = sorted(name for name in names if name.startswith(prefix))
        assert await ids(repository, Condition("part.name", Op.PREFIX, prefix)) == expected
    assert await ids(repository, Condition("id", Op.PREFIX, "run-")) == ["run-1"]


async def test_conditions_hold_together(repository: Repository) -> None:
    await repository.add(Thing(id="a", status="s", fence=1))
    await repository.add(Thing(id="b", status="s", fence=2))
    assert await ids(repository, eq("status", "s"), eq("fence", 2)) == ["b"]
    assert await repository.count(Thing, (eq("status", "s"), eq("fence", 3))) == 0


# ---- order and pages --------------------------------------------------------------------------------------------


async def test_null_comes_last_in_both_directions(repository: Repository) -> None:
    for name, metrics in (("a", None), ("b", {"sharpe": -1.0}), ("c", {"sharpe": None}), ("d", {"sharpe": 2.0})):
        await repository.add(Thing(id=name, metrics=metrics))
    assert await ids(repository, order=Order("metrics.sharpe")) == ["b", "d", "a", "c"]
    assert await ids(repository, order=Order("metrics.sharpe", descending=True)) == ["d", "b", "c", "a"]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("field", ["id", "status", "score", "created_at", "metrics.sharpe", "part.name", "flag"])
async def test_pages_of_any_size_make_up_the_whole_list(repository: Repository, field: str, descending: bool) -> None:
    for n, (score, sharpe) in enumerate(itertools.product((None, 0.1, -3.0, 0.1), (None, 1.5, 1.5))):
        await repository.add(
            Thing(
                id=f"t{n * 7 % 12:02d}",
                status="odd" if n % 2 else "even",
                flag=bool(n % 3),
                score=score,
                created_at=later(n // 4),
                part=Part(name=f"한{n // 5}"),
                metrics={"sharpe": sharpe} if n % 5 else None,
            )
        )
    order = Order(field, descending)
    whole = await ids(repository, order=order)
    assert len(whole) == len(set(whole)) == 12
    for size in (1, 3, 5, 12):
        paged: list[str] = []
        while page := await repository.find(Thing, (), order, size, paged[-1] if paged else None):
            paged += [thing.id for thing in page]
        assert paged == whole


async def test_equal_values_are_ordered_by_id_in_the_same_direction(repository: Repository) -> None:
    for name in "bca":
        await repository.add(Thing(id=name))
    assert await ids(repository, order=Order("status")) == ["a", "b", "c"]
    assert await ids(repository, order=Order("status", descending=True)) == ["c", "b", "a"]
    assert await ids(repository) == ["a", "b", "c"]


async def test_a_page_continues_although_documents_are_added(repository: Repository) -> None:
    for n in range(4):
        await repository.add(Thing(id=f"t{n}", created_at=later(n)))
    order = Order("created_at", descending=True)
    first = await repository.find(Thing, (), order, 2)
    await repository.add(Thing(id="new", created_at=later(99)))
    second = await repository.find(Thing, (), order, 2, first[-1].id)
    assert [thing.id for thing in (*first, *second)] == ["t3", "t2", "t1", "t0"]


async def test_a_cursor_that_is_gone_is_said(repository: Repository) -> None:
    await repository.add(Thing(id="a"))
    for cursor in ("nothing", "\ud800", "' OR 1"):
        with pytest.raises(InvalidInput) as raised:
            await repository.find(Thing, (), Order("status"), 10, cursor)
        assert raised.value.errors[0].pointer == "/cursor"


LISTED = (eq("flag", True), eq("worker", None))


@pytest.mark.parametrize("where", [(), LISTED], ids=["all", "listed"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("field", ["id", "created_at", "score", "metrics.sharpe", "status"])
async def test_pages_by_offset_and_by_cursor_are_the_same_list(
    repository: Repository, field: str, descending: bool, where: tuple[Condition, ...]
) -> None:
    for n, score in enumerate((None, 0.5, -3.0, 0.5, 7.0, None, 0.5)):
        await repository.add(
            Thing(
                id=f"t{n * 3 % 7}",
                flag=True,
                score=score,
                created_at=later(n // 2),
                status=f"s{n % 3}",
                metrics={"sharpe": score} if n % 2 else None,
            )
        )
    await repository.add(Thing(id="other", flag=False))
    order = Order(field, descending)
    whole = [thing.id for thing in await repository.find(Thing, where, order)]
    assert len(whole) == await repository.count(Thing, where) == (7 if where else 8)
    for offset in range(9):
        page = await repository.find(Thing, where, order, 3, offset=offset)
        assert [thing.id for thing in page] == whole[offset : offset + 3]
    for n, last in enumerate(whole):
        page = await repository.find(Thing, where, order, 2, last, 1)
        assert [thing.id for thing in page] == whole[n + 2 : n + 4]


async def test_a_limit_of_nothing_is_nothing(repository: Repository) -> None:
    await repository.add(Thing(id="a"))
    assert await repository.find(Thing, (), None, 0) == []
    assert await repository.find(Thing, (), None, -5) == []


# ---- remove and count -------------------------------------------------------------------------------------------


async def test_remove_says_how_many(repository: Repository) -> None:
    for n in range(5):
        await repository.add(Thing(id=f"t{n}", fence=n))
    assert await repository.remove(Thing, (Condition("fence", Op.GTE, 3),)) == 2
    assert await repository.remove(Thing, (Condition("fence", Op.GTE, 3),)) == 0
    assert await repository.count(Thing) == 3
    assert await repository.remove(Thing, ()) == 3


async def test_counts_by_a_field(repository: Repository) -> None:
    for n, status in enumerate(("queued", "running", "queued", "done")):
        await repository.add(Thing(id=f"t{n}", status=status, fence=n, worker=Part(name="w") if n else None))
    assert await repository.counts_by(Thing, "status") == {"done": 1, "queued": 2, "running": 1}
    assert await repository.counts_by(Thing, "status", (Condition("fence", Op.GT, 0),)) == {
        "done": 1,
        "queued": 1,
        "running": 1,
    }
    assert await repository.counts_by(Thing, "worker.name") == {"w": 3}
    assert await repository.counts_by(Thing, "status", (eq("fence", 99),)) == {}


async def test_the_values_of_an_array_are_counted_one_by_one(repository: Repository) -> None:
    for name, tags in (("a", ("x", "y")), ("b", ("y",)), ("c", ()), ("d", ('"z', "한"))):
        await repository.add(Thing(id=name, tags=tags, flag=name != "b"))
    assert await repository.counts_by(Thing, "tags") == {'"z': 1, "x": 1, "y": 2, "한": 1}
    assert await repository.counts_by(Thing, "tags", LISTED) == {'"z': 1, "x": 1, "y": 1, "한": 1}
    assert await repository.counts_by(Thing, "tags", (eq("id", "b"),)) == {"y": 1}


async def test_ping_answers(repository: Repository) -> None:
    await repository.ping()
