package dashboards

// invoices shows whether mails arrive and tax invoices are issued before their legal date.
var invoices = board{
	name: "invoices", title: "말길 메일과 세금계산서", help: "알림 메일이 가는지, 세금계산서가 법정 기한 안에 나가는지 봅니다.",
	rows: []row{
		{title: "지금", panels: []panel{
			{title: "법정 발행 기한까지", help: "발행되지 않은 세금계산서 중 가장 급한 것의 법정 기한까지 남은 시간. 0이면 이미 지났습니다.", unit: "s", now: true,
				limits: limits{5 * 86400, 2 * 86400}, empty: "발행할 세금계산서가 없습니다.",
				queries: []query{{`clamp_min(min(malgil_invoice_deadline_seconds), 0)`, ""}}},
			{title: "늦은 세금계산서", help: "법정 기한을 넘긴 세금계산서 수. 0이어야 합니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_invoices_late)`, ""}}},
			{title: "마감하지 못한 월렛", help: "지난달을 제때 마감하지 못한 사업자 월렛 수. 0이어야 합니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_months_unclosed)`, ""}}},
			{title: "모르는 공휴일", help: "공휴일을 알아야 하는데 모르는 해의 수. 발행일이 틀릴 수 있습니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_holidays_missing_years)`, ""}}},
		}},
		{title: "메일", panels: []panel{
			{title: "메일", help: "최근 1시간의 메일 발송 시도를 알림과 결과별로 봅니다. waiting은 다시 보냅니다.", unit: "short", many: true,
				queries: []query{{`sum by (case, outcome) (increase(malgil_mails_total[1h])) > 0`, "{{case}} {{outcome}}"}},
				empty:   "최근 1시간에 보낸 메일이 없습니다."},
			{title: "기다리는 메일", help: "아직 보내지 못한 알림 메일 수. 다시 보내는 것도 셉니다.", unit: "short",
				queries: []query{{`max(malgil_mails_waiting)`, "메일"}}},
			{title: "가장 오래 기다린 메일", help: "아직 보내지 못한 알림 메일 중 가장 오래된 것의 나이.", unit: "s", limits: limits{600, 3600},
				queries: []query{{`max(malgil_mail_oldest_waiting_seconds)`, "나이"}}},
			{title: "받을 수 없는 메일 주소", help: "메일 서버가 받는 사람이 없다고 한 주소 수. 고치거나 다시 보낼 때까지 그 주소에는 메일이 가지 않습니다.", unit: "short",
				queries: []query{{`max(malgil_refused_addresses)`, "주소"}}},
		}},
		{title: "세금계산서", panels: []panel{
			{title: "발행하지 못한 세금계산서", help: "발행되지 않은 세금계산서 수. waiting은 발행일을 기다리고, failed는 사람이 봐야 합니다.", unit: "short", stacked: true,
				queries: []query{{`max by (state) (malgil_invoices)`, "{{state}}"}}},
			{title: "세금계산서 발행", help: "최근 1시간 동안 세금계산서 발행 작업이 한 일. unissued와 review는 사람이 봐야 합니다.", unit: "short", many: true,
				queries: []query{{`sum by (outcome) (increase(malgil_billing_runs_total{type="billing:issue_invoice", outcome!="skipped"}[1h]))`, "{{outcome}}"}}},
		}},
	},
}
