"""Twenty forms that use the parts of XLSForm which its documentation shows, with the report that OneGrid gives.

Each form is valid for pyxform. `report` is the whole report of OneGrid as (sheet, row, column, code); an empty
report means that the form is imported.
"""

from dataclasses import dataclass, field

ZH = "label::中文 (zh)"
EN = "label::English (en)"
TYPE = "xlsform.unsupported_type"
COLUMN = "xlsform.unsupported_column"

Rows = list[list[object]]


@dataclass
class Form:
    """One form: its sheets as rows of cells, and the expected report."""

    name: str
    survey: Rows
    choices: Rows | None = None
    settings: dict[str, object] = field(default_factory=dict)
    sheets: dict[str, Rows] = field(default_factory=dict)
    report: list[tuple[str | None, int | None, str | None, str]] = field(default_factory=list)

    def all_sheets(self) -> dict[str, Rows]:
        settings = {"form_title": "表格", "form_id": self.name, "version": 1, "name": "Form"}
        settings["default_language"] = "中文 (zh)"
        settings |= self.settings
        sheets = {"survey": self.survey}
        if self.choices is not None:
            sheets["choices"] = self.choices
        sheets["settings"] = [list(settings), list(settings.values())]
        return sheets | self.sheets


QUESTION = ["type", "name", ZH, EN]
LIST = ["list_name", "name", ZH, EN]
COLOURS = [LIST, ["colour", "red", "红", "Red"], ["colour", "green", "绿", "Green"]]

FORMS = [
    Form(
        "questions",
        [
            [*QUESTION, "hint::中文 (zh)", "default"],
            ["text", "who", "姓名", "Name", "如实填写"],
            ["integer", "age", "年龄", "Age", None, 30],
            ["decimal", "height", "身高", "Height", None, 1.75],
            ["date", "born", "生日", "Born", None, "2000-01-31"],
            ["time", "at", "时间", "Time", None, "18:30"],
            ["geopoint", "here", "位置", "Position"],
            ["image", "photo", "照片", "Photo"],
            ["note", "thanks", "谢谢", "Thank you"],
        ],
    ),
    Form(
        "choices_of_a_list",
        [
            QUESTION,
            ["select_one colour", "best", "最喜欢", "The best"],
            ["select_multiple colour", "liked", "喜欢哪些", "Those you like"],
            ["select one colour", "worst", "最不喜欢", "The worst"],
        ],
        COLOURS,
    ),
    Form(
        "group_in_group",
        [
            QUESTION,
            ["begin_group", "outer", "外层", "Outer"],
            ["text", "a", "甲", "A"],
            ["begin group", "inner", "内层", "Inner"],
            ["text", "b", "乙", "B"],
            ["end group"],
            ["end_group"],
        ],
    ),
    Form(
        "repeat_with_count",
        [
            [*QUESTION, "relevant"],
            ["begin_repeat", "child", "孩子", "Child"],
            ["text", "child_name", "姓名", "Name"],
            ["integer", "child_age", "年龄", "Age"],
            ["end_repeat"],
            ["note", "many", "孩子不少", "Many children", "count(${child}) > 3"],
        ],
    ),
    Form(
        "relevant_required_constraint",
        [
            [*QUESTION, "relevant", "required", "constraint", "constraint_message::中文 (zh)"],
            ["select_one colour", "best", "颜色", "Colour", None, "yes"],
            ["text", "why", "为什么", "Why", "${best} = 'red'", "${best} != 'green'"],
            ["integer", "age", "年龄", "Age", None, "true()", ". >= 0 and . <= 130", "年龄不对"],
            ["select_multiple colour", "all", "全部", "All", "selected(${best}, 'red')"],
            ["date", "day", "日期", "Day", None, "no", ". <= today()", "不能是将来"],
        ],
        COLOURS,
    ),
    Form(
        "plain_labels",
        [
            ["type", "name", "label", "hint", "required"],
            ["text", "a", "姓名", "请填写", True],
            ["select_one yes_no", "b", "同意吗"],
        ],
        [["list_name", "name", "label"], ["yes_no", "yes", "是"], ["yes_no", "no", "否"]],
        {"default_language": None},
    ),
    Form(
        "next_visit_and_limits",
        [
            [*QUESTION, "min", "max", "decimals", "unit::中文 (zh)", "unit::English (en)"],
            ["integer", "bottles", "气瓶", "Cylinders", 0, 200, None, "只", "cylinders"],
            ["decimal", "heat", "温度", "Heat", -20, 60, 1, "℃", "°C"],
        ],
        None,
        {
            "form_title_en": "Visit",
            "about": "说明",
            "about_en": "About",
            "volunteers": "yes",
            "restricted_place": "no",
            "next_visit_workdays": 20,
        },
    ),
    Form(
        "calculate",
        [
            [*QUESTION, "calculation"],
            ["integer", "a", "甲", "A"],
            ["calculate", "double", None, None, "${a} * 2"],
        ],
        report=[
            ("survey", 3, "type", TYPE),
            ("survey", 3, "calculation", COLUMN),
            ("survey", 3, ZH, "xlsform.no_label"),
        ],
    ),
    Form(
        "cascading_select",
        [
            [*QUESTION, "choice_filter"],
            ["select_one town", "town", "镇街", "Town"],
            ["select_one village", "village", "村社", "Village", "town = ${town}"],
        ],
        [
            [*LIST, "town"],
            ["town", "t1", "甲镇", "Town 1"],
            ["village", "v1", "甲村", "Village 1", "t1"],
        ],
        report=[
            ("survey", 3, "choice_filter", COLUMN),
            ("choices", 3, "town", COLUMN),
        ],
    ),
    Form(
        "appearance",
        [
            [*QUESTION, "appearance"],
            ["text", "a", "甲", "A", "multiline"],
            ["select_one colour", "b", "乙", "B", "minimal"],
        ],
        COLOURS,
        report=[
            ("survey", 2, "appearance", COLUMN),
            ("survey", 3, "appearance", COLUMN),
        ],
    ),
    Form(
        "external_choices",
        [
            [*QUESTION, "choice_filter"],
            ["text", "town", "镇街", "Town"],
            ["select_one_external village", "village", "村社", "Village", "town=${town}"],
        ],
        COLOURS,
        sheets={"external_choices": [["list_name", "name", "town"], ["village", "v1", "t1"]]},
        report=[
            (None, None, None, "xlsform.unsupported_sheet"),
            ("survey", 3, "type", TYPE),
            ("survey", 3, "choice_filter", COLUMN),
        ],
    ),
    Form(
        "audio_video_file",
        [
            QUESTION,
            ["audio", "a", "录音", "Audio"],
            ["video", "b", "录像", "Video"],
            ["file", "c", "文件", "File"],
        ],
        report=[("survey", row, "type", TYPE) for row in (2, 3, 4)],
    ),
    Form(
        "barcode",
        [QUESTION, ["barcode", "code", "条码", "Barcode"], ["text", "note", "备注", "Remark"]],
        report=[("survey", 2, "type", TYPE)],
    ),
    Form(
        "range",
        [
            [*QUESTION, "parameters"],
            ["range", "pain", "疼痛", "Pain", "start=0 end=10 step=1"],
        ],
        report=[("survey", 2, "type", TYPE), ("survey", 2, "parameters", COLUMN)],
    ),
    Form(
        "rank",
        [QUESTION, ["rank colour", "order", "排序", "Order"]],
        COLOURS,
        report=[("survey", 2, "type", TYPE)],
    ),
    Form(
        "or_other",
        [
            ["type", "name", "label"],
            ["select_one colour or_other", "best", "最喜欢"],
        ],
        [["list_name", "name", "label"], ["colour", "red", "红"]],
        {"default_language": None},
        report=[("survey", 2, "type", TYPE)],
    ),
    Form(
        "metadata",
        [
            QUESTION,
            ["start", "begun"],
            ["end", "ended"],
            ["today", "day"],
            ["deviceid", "device"],
            ["username", "user"],
            ["text", "a", "甲", "A"],
        ],
        report=[
            line
            for row in range(2, 7)
            for line in (("survey", row, "type", TYPE), ("survey", row, ZH, "xlsform.no_label"))
        ],
    ),
    Form(
        "lines_and_areas",
        [
            QUESTION,
            ["geotrace", "line", "路线", "Line"],
            ["geoshape", "area", "范围", "Area"],
            ["dateTime", "moment", "时刻", "Moment"],
            ["acknowledge", "read", "已阅", "Read"],
        ],
        report=[("survey", row, "type", TYPE) for row in (2, 3, 4, 5)],
    ),
    Form(
        "answers_inside_words",
        [
            [*QUESTION, "default"],
            ["text", "who", "姓名", "Name"],
            ["note", "hello", "你好，${who}", "Hello ${who}"],
            ["text", "again", "再写一次", "Again", "${who}"],
        ],
        report=[
            ("survey", 3, ZH, "xlsform.reference"),
            ("survey", 3, EN, "xlsform.reference"),
            ("survey", 4, "default", "xlsform.reference"),
        ],
    ),
    Form(
        "functions_and_languages",
        [
            [*QUESTION, "label::Français (fr)", "constraint", "readonly"],
            ["text", "phone", "电话", "Phone", "Téléphone", "regex(., '[0-9]{11}')"],
            ["text", "fixed", "固定", "Fixed", "Fixe", None, "yes"],
        ],
        report=[
            ("survey", 2, "label::Français (fr)", COLUMN),
            ("survey", 3, "label::Français (fr)", COLUMN),
            ("survey", 3, "readonly", COLUMN),
        ],
    ),
    Form(
        "unknown_function",
        [
            [*QUESTION, "constraint", "relevant"],
            ["text", "phone", "电话", "Phone", "regex(., '[0-9]{11}')"],
            ["text", "b", "乙", "B", None, "pulldata('a', 'b', 'c', ${phone}) = '1'"],
        ],
        report=[
            ("survey", 2, "constraint", "form.unknown_function"),
            ("survey", 3, "relevant", "form.unknown_function"),
        ],
    ),
]
