"""Whatever is drawn: nothing overlaps, all is inside, lines keep off boxes, and it is the same again."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from networks.domain.inventory import ContainerKey
from networks.domain.state import InterfaceKey
from networks.domain.topology.collapse import MOST_BANDS, MOST_COLUMNS, collapsed
from networks.domain.topology.layout import lay_out
from networks.domain.topology.lettering import fitted, text_width
from networks.domain.topology.picture import Frame, Picture
from networks.domain.topology.scene import LOOSE, Band, Box, Column, Dot, Line, Piece, Scene, Sign, Socket

BANDS = ("a", "b", "c", "d", "e")
ADAPTERS = ("eth0", "eth0.5", "eth0.100", "eth1")
NAMES = st.sampled_from(("web", "Backups of the night", "m" * 40, "數據庫", "A"))
SIGNS = st.lists(st.just(Sign("warn", "Something.")), max_size=1).map(tuple)


@st.composite
def columns(draw: st.DrawFn, server: int) -> Column:
    sockets = tuple(
        Socket(
            name,
            "vlan" if "." in name else "nic",
            name.partition(".")[0] if "." in name else "",
            draw(st.sampled_from((None, (1, 0), (1, 100), (2, 0)))),
            is_own=name == "eth0",
            signs=draw(SIGNS),
        )
        for name in ADAPTERS
        if name == "eth0" or draw(st.booleans())
    )
    free = [socket.name for socket in sockets]
    pieces = []
    for band in draw(st.lists(st.sampled_from(BANDS), unique=True)):
        socket = draw(st.sampled_from(["", *free]))
        if socket:
            free.remove(socket)
        pieces.append(Piece(band, socket, was=draw(st.sampled_from(["", "", "", *free]))))
    boxes = []
    for number in range(draw(st.integers(0, 14))):
        key = ContainerKey(server, str(100 + number))
        dots = tuple(
            Dot(
                InterfaceKey(server, key.ctid, f"eth{n}"),
                draw(st.sampled_from([LOOSE, *(p.band for p in pieces)])),
                is_routed=False,
            )
            for n in range(draw(st.integers(0, 3)))
        )
        if draw(st.integers(0, 4)) == 0:
            dots = (Dot(InterfaceKey(server, key.ctid, "venet0"), is_routed=True), *dots)
        joined = (tuple(dot.key.ifname for dot in dots[-2:]),) if len(dots) > 1 else ()
        boxes.append(Box(key, draw(NAMES), "running", dots, joined, signs=draw(SIGNS)))
    return Column((server,), draw(NAMES), boxes=tuple(boxes), sockets=sockets, pieces=tuple(pieces))


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    drawn = tuple(draw(columns(server)) for server in range(1, draw(st.integers(1, 4)) + 1))
    used = {piece.band for column in drawn for piece in column.pieces}
    lines = sorted({s.line for c in drawn for s in c.sockets if s.line})
    return Scene(
        drawn,
        tuple(Band(band, draw(NAMES), colour=n) for n, band in enumerate(BANDS) if band in used),
        tuple(Line(line, f"wire {line}", line[1] == 0) for line in lines),
    )


def overlapping(frames: list[Frame]) -> list[tuple[Frame, Frame]]:
    return [(a, b) for a, b in combinations(frames, 2) if a.overlaps(b)]


def all_frames(picture: Picture) -> list[Frame]:
    return [
        *(c.frame for c in picture.columns),
        *(c.stack for c in picture.columns if c.stack),
        *(b.frame for b in picture.boxes),
        *(s.frame for s in picture.strips),
        *(s.frame for s in picture.sockets),
        *(line.hosts for line in picture.lines if line.hosts),
    ]


@settings(max_examples=25, deadline=None)
@given(scenes())
def test_nothing_overlaps_and_all_is_inside(scene: Scene) -> None:
    picture = lay_out(scene)
    assert not overlapping([box.frame for box in picture.boxes])
    assert not overlapping([socket.frame for socket in picture.sockets])
    assert not overlapping([column.frame for column in picture.columns])
    assert not overlapping([strip.frame for strip in picture.strips])
    blocks = [*(b.frame for b in picture.boxes), *(s.frame for s in picture.strips)]
    assert not overlapping(
        [*(b.frame for b in picture.boxes), *(c.stack for c in picture.columns if c.stack)]
    )
    assert all(f.width > 0 and f.height > 0 for f in blocks)
    for frame in all_frames(picture):
        assert frame.x >= 0 and frame.right <= picture.width
        assert frame.y >= 0 and frame.bottom <= picture.height
    for line in picture.lines:
        assert 0 <= line.x1 < line.x2 <= picture.width and line.y <= picture.height


@settings(max_examples=25, deadline=None)
@given(scenes())
def test_boxes_lie_in_their_column_and_no_line_runs_through_one(scene: Scene) -> None:
    keeps_off_boxes(lay_out(scene))


def keeps_off_boxes(picture: Picture) -> None:
    homes = {shape.column.servers[0]: shape.frame for shape in picture.columns}
    for box in picture.boxes:
        home = homes[box.box.key.server]
        assert home.x < box.frame.x and box.frame.right < home.right
        for line in picture.uprights:
            if line.y1 < box.frame.bottom - 1 and line.y2 > box.frame.y:
                # A line that begins at the box's own dot is at its lower edge.
                assert not box.frame.x < line.x < box.frame.right, (box.box.key, line)


@settings(max_examples=25, deadline=None)
@given(scenes())
def test_every_container_and_interface_is_drawn_once(scene: Scene) -> None:
    picture = lay_out(scene)
    boxes = [box.key for column in scene.columns for box in column.boxes]
    assert sorted(shape.box.key for shape in picture.boxes) == sorted(boxes)
    dots = [dot.key for column in scene.columns for box in column.boxes for dot in box.dots]
    assert sorted(shape.dot.key for shape in picture.dots) == sorted(dots)


@settings(max_examples=25, deadline=None)
@given(scenes())
def test_every_attached_dot_touches_its_band(scene: Scene) -> None:
    picture = lay_out(scene)
    homes = {shape.column.servers[0]: shape.frame for shape in picture.columns}
    for shape in picture.dots:
        band = shape.dot.band
        home = homes[shape.dot.key.server]
        mine = [s.frame for s in picture.strips if s.band.id == band and home.x - 2 <= s.frame.x < home.right]
        if not mine:
            continue
        sits = any(f.y == shape.y and f.x <= shape.x <= f.right for f in mine)
        leads = any(
            line.kind == "lead" and line.x == shape.x and any(line.y2 == f.y for f in mine)
            for line in picture.uprights
        )
        assert sits or leads, shape


@settings(max_examples=20, deadline=None)
@given(scenes())
def test_the_same_scene_gives_the_same_picture(scene: Scene) -> None:
    assert lay_out(scene) == lay_out(scene)


def test_rows_of_a_band_are_joined_beside_the_boxes_in_a_turned_column_too() -> None:
    lines = {"a": (1, 5), "b": (1, 6)}
    plain = [
        Box(ContainerKey(2, str(n)), dots=(Dot(InterfaceKey(2, str(n), "eth0"), "a"),)) for n in range(9)
    ]
    routed = [
        Box(
            ContainerKey(2, f"9{band}"),
            dots=(
                Dot(InterfaceKey(2, f"9{band}", "venet0"), is_routed=True),
                Dot(InterfaceKey(2, f"9{band}", "eth0"), band),
            ),
        )
        for band in lines
    ]
    vlans = [Socket(f"eth0.{line[1]}", "vlan", "eth0", line) for line in lines.values()]
    pieces = tuple(Piece(band, f"eth0.{line[1]}") for band, line in lines.items())
    sockets = (Socket("eth0", is_own=True), *vlans)
    left = Column((1,), "one", sockets=sockets, pieces=pieces)
    right = Column((2,), "two", boxes=(*plain, *routed), sockets=sockets, pieces=pieces)
    wires = tuple(Line(line, "wire", False) for line in lines.values())
    picture = lay_out(Scene((left, right), (Band("a", "a"), Band("b", "b")), wires))
    stack = picture.columns[1].stack
    assert stack is not None
    assert stack.x > picture.columns[1].frame.middle, "the column is turned round"
    keeps_off_boxes(picture)


def fleet(servers: int, odd: int = 0) -> Scene:
    """Servers that look alike, `odd` of them each with a set of networks of its own."""
    drawn = []
    for server in range(1, servers + 1):
        bands = ["web", f"own-{server}"] if server <= odd else ["web", "db"]
        boxes = tuple(
            Box(
                ContainerKey(server, str(n)),
                dots=(Dot(InterfaceKey(server, str(n), "eth0"), bands[n % 2]),),
                status="running",
            )
            for n in range(20)
        )
        pieces = (Piece(bands[0], "eth0"), Piece(bands[1], f"eth{server}" if server <= odd else ""))
        sockets = (Socket("eth0", line=(1, 0), is_own=True), Socket(f"eth{server}", line=(1, 0)))
        drawn.append(Column((server,), f"node{server}", boxes=boxes, sockets=sockets, pieces=pieces))
    names = {piece.band for column in drawn for piece in column.pieces}
    return Scene(tuple(drawn), tuple(Band(n, n) for n in sorted(names)), (Line((1, 0), "wire"),))


def test_two_hundred_servers_that_look_alike_are_one_column() -> None:
    scene = collapsed(fleet(200))
    assert len(scene.columns) == 1
    assert scene.columns[0].name == "node1 … node200 (200)"
    assert sum(box.count for box in scene.columns[0].boxes) == 4000
    assert len(lay_out(scene).boxes) == 2


def test_a_server_in_trouble_keeps_a_column_of_its_own_before_the_others() -> None:
    scene = fleet(200)
    ill = Column(
        scene.columns[6].servers,
        "node7",
        state="unreachable",
        boxes=scene.columns[6].boxes,
        sockets=scene.columns[6].sockets,
        pieces=scene.columns[6].pieces,
    )
    small = collapsed(Scene((*scene.columns[:6], ill, *scene.columns[7:]), scene.bands, scene.lines))
    assert [column.name for column in small.columns] == ["node7", "node1 … node200 (199)"]


def test_many_different_servers_stay_few_columns_and_nobody_is_lost() -> None:
    scene = fleet(60, odd=60)
    distinct = tuple(
        Column(
            c.servers, c.name, boxes=c.boxes, sockets=c.sockets[: 1 + n % 2], pieces=c.pieces, state=f"s{n}"
        )
        for n, c in enumerate(scene.columns)
    )
    small = collapsed(Scene(distinct, scene.bands, scene.lines))
    assert len(small.columns) == MOST_COLUMNS
    assert len(small.bands) <= MOST_BANDS + MOST_COLUMNS
    assert sorted(server for column in small.columns for server in column.servers) == list(range(1, 61))
    lay_out(small)


def test_a_small_scene_is_left_as_it_is() -> None:
    scene = fleet(1)
    assert collapsed(scene) is scene


def test_what_a_box_is_called_ends_before_its_sign() -> None:
    sign = (Sign("warn", "Something."),)
    long = ContainerKey(1, "1e5f7a3c-8b1d-4a60-9f0e-2d6c3b4a5e6f")
    boxes = (Box(ContainerKey(1, "101"), "", count=1812, signs=sign), Box(long, "", signs=sign))
    picture = lay_out(Scene((Column((1,), "server1", boxes=boxes),)))
    assert {box.label for box in picture.boxes if box.box.count > 1} == {"1812 containers"}
    for box, shape in zip(picture.boxes, sorted(picture.signs, key=lambda s: s.x), strict=True):
        assert box.frame.x + 8 + text_width(box.label, 13) <= shape.x - 8 < box.frame.right


def test_a_text_that_is_too_long_is_shortened_to_fit() -> None:
    assert fitted("short", 12, 200) == "short"
    cut = fitted("a name that is much too long for its box", 12, 80)
    assert cut.endswith("…")
    assert text_width(cut, 12) <= 80
