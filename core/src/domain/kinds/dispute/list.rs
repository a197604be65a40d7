//! The monthly list of disputes with its responsibilities (矛盾纠纷月度清单), as offices keep it.

use super::super::note;
use super::super::{ListColumn, ListSpec, ListTarget};
use super::{
    AMOUNT_FEN, DEADLINE_MS, DISPUTE_LEVEL, DISPUTE_TYPE, DUTY_LEADER, DUTY_PERSON, DUTY_UNIT,
    KIND, LIST_MONTH, LIST_ROW,
};

/// The list.
pub static LIST: ListSpec = ListSpec {
    name: "disputes",
    kind: KIND,
    columns: &[
        column(
            "row",
            &["编号", "序号", "纠纷编号", "id"],
            true,
            ListTarget::Row,
        ),
        column(
            "area",
            &[
                "区域",
                "区域代码",
                "村社",
                "社区",
                "村社代码",
                "所属社区",
                "镇街",
            ],
            true,
            ListTarget::Area,
        ),
        column(
            "title",
            &["事由", "纠纷事由", "纠纷名称", "标题"],
            true,
            ListTarget::Title,
        ),
        column(
            "description",
            &["简要情况", "基本情况", "情况说明"],
            false,
            ListTarget::Description,
        ),
        column(
            "dispute_type",
            &["纠纷类型", "类型", "type"],
            false,
            ListTarget::Choice(&DISPUTE_TYPE),
        ),
        column(
            "dispute_level",
            &["纠纷等级", "等级", "level"],
            false,
            ListTarget::Choice(&DISPUTE_LEVEL),
        ),
        column(
            "parties",
            &["当事人", "当事方", "双方当事人"],
            false,
            ListTarget::Names,
        ),
        column(
            "leader",
            &["包案领导", "责任领导"],
            false,
            ListTarget::Words(&DUTY_LEADER),
        ),
        column("unit", &["责任单位"], false, ListTarget::Words(&DUTY_UNIT)),
        column(
            "person",
            &["责任人"],
            false,
            ListTarget::Words(&DUTY_PERSON),
        ),
        column(
            "deadline",
            &["化解期限", "办结期限", "期限", "化解时限"],
            false,
            ListTarget::Day(&DEADLINE_MS),
        ),
        column(
            "amount",
            &["涉及金额", "涉及金额（元）", "涉及金额(元)", "金额"],
            false,
            ListTarget::Yuan(&AMOUNT_FEN),
        ),
    ],
    month: &LIST_MONTH,
    row: &LIST_ROW,
    names_kind: note::KIND,
};

const fn column(
    name: &'static str,
    aliases: &'static [&'static str],
    required: bool,
    target: ListTarget,
) -> ListColumn {
    ListColumn {
        name,
        aliases,
        required,
        target,
    }
}
