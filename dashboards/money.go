package dashboards

// money shows what was used and paid, who does not pay, and whether the books agree.
var money = board{
	name: "money", title: "말길 돈", help: "얼마를 썼고 받았는지, 누가 내지 못하는지, 장부가 맞는지 봅니다.",
	rows: []row{
		{title: "지금", panels: []panel{
			{title: "미수 월렛", help: "모든 카드가 실패해 발송이 멈춘 월렛 수.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_wallets{payment_state="UNPAID"})`, ""}}},
			{title: "다시 연결할 월렛", help: "미수를 냈고 채널을 다시 연결하기를 기다리는 월렛 수.", unit: "short", now: true,
				queries: []query{{`max(malgil_wallets{payment_state="AWAITING_RECONNECT"})`, ""}}},
			{title: "확인할 결제", help: "사람의 확인을 기다리는 결제, 충전, 환불 수. 0이어야 합니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_charges_in_review)`, ""}}},
			{title: "설정 때문에 중단", help: "1이면 결제사가 우리 설정을 거부해 아무에게도 결제하지 않는 중입니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_charging_halted)`, ""}}},
			{title: "거절이 잇달아 중단", help: "1이면 카드가 잇달아 거절되어 잠시 아무에게도 결제하지 않는 중입니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_charging_storm)`, ""}}},
			{title: "장부의 차이", help: "견준 장부가 맞지 않는 금액. 0이어야 합니다.", unit: "currencyKRW", now: true, limits: ought0,
				queries: []query{{`max(malgil_ledger_difference_krw)`, ""}}},
		}},
		{title: "원장과 결제", panels: []panel{
			{title: "원장에 적힌 금액", help: "최근 1시간 동안 원장에 적힌 공급가액을 종류별로 봅니다.", unit: "currencyKRW", many: true,
				queries: []query{{`sum by (kind) (increase(malgil_posted_krw_total[1h]))`, "{{kind}}"}}},
			{title: "자동결제", help: "최근 1시간 동안 자동결제 작업이 한 일. halted, refused, review는 사람이 봐야 합니다.", unit: "short", many: true,
				queries: []query{{`sum by (outcome) (increase(malgil_billing_runs_total{type!="billing:issue_invoice", outcome!="skipped"}[1h]))`, "{{outcome}}"}}},
			{title: "카드별 결제 시도", help: "최근 1시간의 결제 시도를 카드 순서(1 결제 카드, 2·3 예비카드)와 결과별로 봅니다.", unit: "short", many: true,
				queries: []query{{`sum by (slot, outcome) (increase(malgil_attempts_total{outcome!="skipped"}[1h])) > 0`, "{{slot}} {{outcome}}"}},
				empty:   "최근 1시간에 결제 시도가 없었습니다."},
			{title: "결과를 모르는 결제", help: "결과를 아직 모르는 결제 시도 수. 알게 될 때까지 다음 카드를 쓰지 않습니다.", unit: "short",
				queries: []query{{`max(malgil_attempts_unknown)`, "시도"}}},
			{title: "가장 오래 모르는 결제", help: "결과를 모르는 결제 시도 중 가장 오래된 것의 나이. 30분이 넘으면 경보가 울립니다.", unit: "s", limits: limits{600, 1800},
				queries: []query{{`max(malgil_attempt_oldest_unknown_seconds)`, "나이"}}},
		}},
		{title: "월렛", panels: []panel{
			{title: "월렛 결제 상태", help: "월렛 수를 결제 상태별로 봅니다.", unit: "short", stacked: true,
				queries: []query{{`max by (payment_state) (malgil_wallets)`, "{{payment_state}}"}}},
		}},
		{title: "장부", panels: []panel{
			{title: "맞지 않는 장부", help: "1시간마다 월렛별로 견준 장부의 차이를 종류별로 봅니다. 0이어야 합니다.", unit: "currencyKRW", limits: ought0,
				queries: []query{{`max by (kind) (malgil_ledger_difference_krw)`, "{{kind}}"}}},
			{title: "장부를 견주지 못한 시간", help: "가장 오래 견주지 못한 월렛이 기다린 시간. 1시간을 조금 넘는 것이 보통입니다.", unit: "s", limits: limits{7200, 10800},
				queries: []query{{`max(malgil_ledger_oldest_check_seconds)`, "시간"}}},
		}},
	},
}
