"""Rule 6: VLAN adapters that the panel makes."""

from __future__ import annotations

from networks.domain import words
from networks.domain.inventory import Inventory, NetworkRef, Subject
from networks.domain.names import BRIDGE_PREFIX, LINK_NAME_BYTES, is_link_name
from networks.domain.rules.problem import Problem
from networks.domain.state import AdapterKey, Desired, VlanAdapter, grouped
from networks.domain.wires import adoptions


def vlan_base_is_nic_or_bond(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """A VLAN adapter stands on a NIC or bond that is there, never on a VLAN or a bond's slave."""
    problems = []
    for vlan in after.vlans:
        key = AdapterKey(vlan.server, vlan.base)
        base = inventory.adapter(key)
        name = words.adapter(key, inventory)
        if any(other.name == vlan.base for other in after.vlans_on(vlan.server)) or (
            base is not None and base.kind == "vlan"
        ):
            code, text = "vlan-on-vlan", f"{name} is a VLAN adapter itself"
        elif base is None or base.gone:
            code, text = "vlan-base-gone", f"{name} does not exist, or not any more"
        elif base.is_slave:
            code, text = "vlan-on-slave", f"{name} is a slave of a bond"
        else:
            continue
        problems.append(
            Problem(
                code,
                "refuse",
                f"VLAN adapter {vlan.name} cannot be created: {text}.",
                (AdapterKey(vlan.server, vlan.name), key),
                "Choose a NIC or a bond as the base.",
            )
        )
    return problems


def vlan_id_is_in_range(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """802.1Q has ids 1 to 4094; 0 and 4095 are reserved."""
    return [
        Problem(
            "vlan-id-range",
            "refuse",
            f"VLAN id {vlan.vid} of {vlan.name} is not between 1 and 4094.",
            (_key(vlan),),
            "Enter an id from 1 to 4094.",
        )
        for vlan in after.vlans
        if not 1 <= vlan.vid <= 4094
    ]


def vlan_id_is_unique_on_base(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """The kernel has one VLAN adapter per base and id, whoever made it."""
    problems = []
    for vlan, others in _with_same_tag(before, after, inventory):
        problems.append(
            Problem(
                "vlan-id-taken",
                "refuse",
                f"VLAN id {vlan.vid} on {words.adapter(AdapterKey(vlan.server, vlan.base), inventory)} is "
                f"taken by {words.listed(sorted(others))}.",
                (_key(vlan), *(AdapterKey(vlan.server, other) for other in sorted(others))),
                "Use that VLAN adapter, or enter another id.",
            )
        )
    return problems


def _with_same_tag(
    before: Desired, after: Desired, inventory: Inventory
) -> list[tuple[VlanAdapter, frozenset[str]]]:
    found = []
    for same in grouped(after.vlans, lambda v: (v.server, v.base, v.vid)).values():
        vlan = same[0]
        ours = {other.name for other in (*after.vlans_on(vlan.server), *before.vlans_on(vlan.server))}
        seen = inventory.vlans_on(AdapterKey(vlan.server, vlan.base))
        others = {other.name for other in same} | {
            view.name for view in seen if view.vid == vlan.vid and view.name not in ours
        }
        if len(others) > 1:
            found.append((vlan, frozenset(others - {vlan.name})))
    return found


def vlan_name_is_fit(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """The kernel's names of links have at most 15 bytes (IFNAMSIZ in linux/if.h); "vn-" begins bridges."""
    problems = []
    for vlan in after.vlans:
        text = _unfit(vlan.name)
        if text:
            problems.append(
                Problem(
                    "vlan-name-unfit",
                    "refuse",
                    f"VLAN adapter name “{vlan.name}” {text}.",
                    (_key(vlan),),
                    "Enter a name of at most 15 letters, digits, dots, dashes or underscores.",
                )
            )
    return problems


def _unfit(name: str) -> str:
    """What is wrong with the name of a VLAN adapter; "" if nothing."""
    if len(name.encode()) > LINK_NAME_BYTES:
        return f"has more than {LINK_NAME_BYTES} characters"
    if not is_link_name(name):
        return "is not a name for a link"
    # One of them may be made on this server later, and could not be.
    return "begins as the bridges of Virtual Networks do" if name.startswith(BRIDGE_PREFIX) else ""


def vlan_name_is_unique(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """A new VLAN adapter takes no name that a link of the server has, nor twice the same."""
    problems = []
    for same in grouped(after.vlans, _key).values():
        vlan = same[0]
        view = inventory.adapter(_key(vlan))
        is_new = all(v.name != vlan.name for v in before.vlans_on(vlan.server))
        other = (
            view is not None and not view.gone and (is_new or (view.base, view.vid) != (vlan.base, vlan.vid))
        )
        if len(same) > 1 or (vlan.server, vlan.name) in inventory.bridges:
            hint = "Enter another name."
        elif other:
            hint = "If it is the VLAN adapter that you want, assign it as it is; else enter another name."
        else:
            continue
        problems.append(
            Problem(
                "vlan-name-taken",
                "refuse",
                f"{words.sentence(words.server(vlan.server, inventory))} has a network adapter or bridge "
                f"named {vlan.name} already.",
                (_key(vlan),),
                hint,
            )
        )
    return problems


def vlan_is_not_remade_at_once(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """A VLAN adapter's name or id is free for another one only when the old one is gone.

    One transaction says one thing about each link, so deleting and making anew are two Changes.
    """
    problems = []
    for vlan in after.vlans:
        old = [
            v
            for v in before.vlans_on(vlan.server)
            if v not in after.vlans_on(vlan.server)
            and (v.name == vlan.name or (v.base, v.vid) == (vlan.base, vlan.vid))
        ]
        if old and vlan not in before.vlans_on(vlan.server):
            problems.append(
                Problem(
                    "vlan-remade",
                    "refuse",
                    f"VLAN adapter {vlan.name} of {words.server(vlan.server, inventory)} takes the name or "
                    f"the id of {old[0].name}, which is deleted in the same draft.",
                    (_key(vlan), _key(old[0])),
                    f"Delete {old[0].name} in a Change of its own first.",
                )
            )
    return problems


def members_are_on_the_vlan_decided(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 6: nobody joins a bridge whose VLAN adapter others have made anew, and so another VLAN."""
    problems = []
    adopted = dict(adoptions(before, after, inventory))
    for vlan in after.vlans:
        view = inventory.adapter(_key(vlan))
        if view is None or view.gone or (view.base, view.vid) == (vlan.base, vlan.vid):
            continue
        for assignment in after.assignments_on(vlan.server):
            network = after.network(assignment.network)
            members = after.members_of(assignment.network, vlan.server)
            if assignment.adapter != vlan.name or not members or network is None:
                continue
            if view.bridge and view.bridge == adopted.get(assignment, network.bridge):
                what = f"VLAN {view.vid} on {view.base}" if view.kind == "vlan" else "no VLAN adapter"
                problems.append(
                    Problem(
                        "vlan-differs",
                        "refuse",
                        f"Containers of {words.network(network.id, after)} on "
                        f"{words.server(vlan.server, inventory)} would not be on VLAN {vlan.vid} of "
                        f"{vlan.base}: {vlan.name} is {what} by now.",
                        (NetworkRef(network.id), _key(vlan), *sorted(m.interface for m in members)),
                        f"Delete {vlan.name} on the server; its repair makes the right one.",
                    )
                )
    return problems


def vlan_in_use_stays(before: Desired, after: Desired, inventory: Inventory) -> list[Problem]:
    """Rule 9: a VLAN adapter with a network, an address of the server, or a foreign bridge is not deleted.

    Nor one that other VLAN adapters stand on: the kernel would take them away with it.
    """
    problems = []
    deleted = {_key(vlan) for vlan in before.vlans} - {_key(vlan) for vlan in after.vlans}
    for vlan in before.vlans:
        if _key(vlan) not in deleted:
            continue
        key = _key(vlan)
        view = inventory.adapter(key)
        users: list[str] = []
        subjects: list[Subject] = [key]
        for assignment in after.assignments_on(vlan.server):
            if assignment.adapter == vlan.name:
                users.append(f"{words.network(assignment.network, after, before)} is assigned to it")
                subjects.append(NetworkRef(assignment.network))
        if view is not None and not view.gone:
            if view.addresses:
                users.append(f"the server itself has the address {words.listed(view.addresses)} on it")
            if view.bridge and not before.is_bridge_of_ours(view.bridge, vlan.server):
                users.append(f"bridge {view.bridge}, which the panel did not make, holds it")
            uppers = sorted(upper.key for upper in inventory.vlans_on(key) if upper.key not in deleted)
            if uppers:
                verb = "stands" if len(uppers) == 1 else "stand"
                users.append(f"{words.listed([upper.name for upper in uppers])} {verb} on it")
                subjects.extend(uppers)
        if users:
            problems.append(
                Problem(
                    "vlan-in-use",
                    "refuse",
                    f"VLAN adapter {words.adapter(key, inventory)} cannot be deleted: {words.listed(users)}.",
                    tuple(subjects),
                    "Free it first.",
                )
            )
    return problems


def _key(vlan: VlanAdapter) -> AdapterKey:
    return AdapterKey(vlan.server, vlan.name)
