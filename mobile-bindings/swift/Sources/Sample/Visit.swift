import Foundation
import OneGrid

// visit: the README shows this function.
/// Makes one visit without a network, and reports what was found. Gives the visit and the hazard.
func visit(_ phone: Phone, at place: GeoPosition) async throws -> (visit: String, hazard: String) {
    let draft = FormDraft(
        kind: "visit", template: "ebike_charging", title: "竹竿巷3幢", position: place)
    let visit = try await phone.planForm(draft).form
    try await phone.act(on: visit, MoveInput(movement: "start"))

    // The answer “shed” opens the questions about sheds. More bikes charge than there are, so
    // there is a problem, and the visit cannot end.
    try await phone.answer(
        visit,
        [
            AnswerChange(question: "place_kind", value: .text(text: "shed")),
            AnswerChange(question: "bikes", value: .number(number: 12)),
            AnswerChange(question: "charging", value: .number(number: 20)),
        ])
    for item in try await phone.form(visit).items where item.relevant {
        print(item.item.zh, item.zhAnswer, item.problem?.zh ?? "")
    }
    do {
        try await phone.act(on: visit, MoveInput(movement: "finish"))
    } catch let error as OneGridError where error.code == "form.incomplete" {
        print(error.zh)
    }

    try await phone.answer(
        visit,
        [
            AnswerChange(question: "charging", value: .number(number: 8)),
            AnswerChange(question: "away", value: .flag(flag: true)),
            AnswerChange(question: "power_off", value: .flag(flag: false)),
            AnswerChange(question: "spray", value: .flag(flag: true)),
        ])
    // Title, address and position of the hazard come from the visit.
    let finding = FindingDraft(kind: "hazard", question: "power_off", language: .zh)
    let hazard = try await phone.reportFinding(of: visit, finding)
    try await phone.act(on: visit, MoveInput(movement: "finish"))
    for linked in try await phone.form(visit).linked {
        print(linked.row.title, linked.row.stage.localized)
    }
    return (visit, hazard)
}
// end of visit
