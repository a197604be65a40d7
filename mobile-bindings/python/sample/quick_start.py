import sys
from contextlib import suppress

from onegrid import Device, FileVault, NetworkError, Position

device = Device("onegrid-data", FileVault("onegrid-keys"))
with device.open_single() as phone:
    if not phone.me().enrolled:
        phone.enrol(sys.argv[1], device_name="my laptop")
        plan = phone.plan()  # the cost, before anything is loaded
        print(f"{plan.records.count} records, {plan.records.bytes:,} bytes")
        phone.sync_once()
    record = phone.report(
        "hazard",
        {"title": "Gas cylinders behind the noodle shop", "category": "gas"},
        position=Position(30.31215, 120.11878, accuracy_m=8),
    )
    with suppress(NetworkError):  # kept, and delivered by the next sync
        phone.sync_once()
    print(phone.record(record).row.receipt.name, record)
