"""One visit without a network: plan it, answer it, mend what is missing, and report what was found.

    python visit.py 'ONEGRID1:…'

The first run enrols; later ones need no invitation.
"""

import sys
from contextlib import suppress

from onegrid import Device, FileVault, FormDetail, Language, NetworkError, OneGridError, Position


def show(form: FormDetail) -> None:
    """Prints the questions that are shown, with their answers and problems."""
    for item in form.items:
        if item.relevant and item.item.kind != "section":
            problem = f"  ! {item.problem.en}" if item.problem else ""
            print(f"  {item.item.en} {item.en_answer}{problem}")
    print(f"  {form.answered} of {form.required} answered")


device = Device("onegrid-data", FileVault("onegrid-keys"))
with device.open_single() as phone:
    if not phone.me().enrolled:
        phone.enrol(sys.argv[1], device_name="my laptop")
        phone.sync_once()
    visit = phone.plan_form(
        "visit",
        "ebike_charging",
        title="Bamboo Lane, block 3",
        position=Position(30.31215, 120.11878, accuracy_m=8),
    ).form
    phone.act(visit, "start")

    # The answer “shed” opens the questions about sheds. More bikes charge than there are: a problem.
    phone.answer(visit, {"place_kind": "shed", "bikes": 12, "charging": 20})
    show(phone.form(visit))
    try:
        phone.act(visit, "finish")
    except OneGridError as error:
        print(error.say(Language.EN))

    phone.answer(visit, {"charging": 8, "away": True, "power_off": False, "spray": True})
    hazard = phone.report_finding(
        visit, "hazard", Language.EN, {"category": "ebike"}, question="power_off"
    )
    phone.act(visit, "finish")
    with suppress(NetworkError):  # kept, and delivered by the next sync
        phone.sync_once()
    form = phone.form(visit)
    show(form)
    for linked in form.linked:
        print("finding:", linked.row.title, linked.row.stage.en)
    print(form.standing.name if form.standing else "", visit, hazard)
