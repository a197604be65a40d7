"""Two phones meet without a server: one shows a code and the other one scans it, or a file passes between them.

    python meeting.py FOLDER enrol 'ONEGRID1:…'       # once for each phone, while there is a network
    python meeting.py FOLDER show 192.168.43.1        # prints the code and waits; the address is this machine's own
    python meeting.py FOLDER scan 'CODE'
    python meeting.py FOLDER ask                      # prints the text of a QR code
    python meeting.py FOLDER answer 'REQUEST' work.onegrid
    python meeting.py FOLDER take work.onegrid

Each folder is a phone.
"""

import sys
from pathlib import Path

from onegrid import Device, FileVault, MeetingReport, Phone, check_meeting_code


# Meeting
def show_code(phone: Phone, address: str) -> MeetingReport:
    """Shows a code, and waits for the phone that scans it."""
    listener = phone.listen_for_meeting(address)
    print(listener.code(), flush=True)  # an app shows it as a QR code
    return phone.accept_meeting(listener)


def scan_code(phone: Phone, code: str) -> MeetingReport:
    """Meets the phone that shows the code."""
    hotspot = check_meeting_code(code).hotspot
    if hotspot:
        print("join the Wi-Fi", hotspot.name, hotspot.password)
    return phone.meet(code)


def answer(phone: Phone, request: str, file: Path) -> None:
    """Writes the file for the phone whose request was scanned. A chat or a share sheet carries it."""
    made = phone.make_bundle(request.encode())
    file.write_bytes(made.file)
    print(f"{made.given} envelopes in {file}")


def tell(phone: Phone, report: MeetingReport) -> None:
    """Prints what came."""
    print(f"gave {report.given}, took {report.taken}")
    if report.parcel_taken:
        print("carries sealed work of the other phone to the server")
    for row in phone.records():
        print(" ", row.title, "(provisional)" if row.provisional else "")


# End of meeting

if len(sys.argv) < 3:
    raise SystemExit(__doc__)
folder, verb, *rest = sys.argv[1:]
device = Device(f"{folder}/data", FileVault(f"{folder}/keys"))
with device.open_single() as phone:
    match verb, rest:
        case "enrol", [invitation]:
            phone.enrol(invitation, device_name="my laptop")
            phone.sync_once()
        case "show", [address]:
            tell(phone, show_code(phone, address))
        case "scan", [code]:
            tell(phone, scan_code(phone, code))
        case "ask", []:
            print(phone.meeting_request())
        case "answer", [request, file]:
            answer(phone, request, Path(file))
        case "take", [file]:
            tell(phone, phone.import_bundle(Path(file).read_bytes()))
        case _:
            raise SystemExit(__doc__)
