package dashboards

// overview shows on one page what waits longest, and then in one line for each subject whether people
// get their answers, broadcasts move, money is where it should be and papers go out. Each line leads
// to the board of its subject.
//
// Here and on the other boards: numbers of the whole installation are told by every scheduler, so the
// largest of them is taken.
var overview = board{
	name: "overview", title: "말길 한눈에", help: "가장 오래 기다린 것을 먼저, 대화와 발송, 돈, 서류, 대기열을 한 줄씩 봅니다.",
	rows: []row{
		{title: "가장 오래 기다린 것", board: &queues, panels: []panel{
			{title: "기다리는 대화", help: "맨 앞 발화가 기다린 시간을 대기열별로 봅니다. 1초를 넘지 않아야 합니다.", unit: "s", now: true, width: 6, limits: limits{1, 2},
				queries: []query{{`max by (queue) (malgil_queue_oldest_waiting_seconds{queue=~"reply|echo"})`, "{{queue}}"}}},
			{title: "기다리는 다른 작업", help: "맨 앞 작업이 기다린 시간을 대기열별로 봅니다. 5분을 넘으면 경보가 울립니다.", unit: "s", now: true, width: 12, limits: limits{60, 300},
				queries: []query{{`max by (queue) (malgil_queue_oldest_waiting_seconds{queue!~"reply|echo"})`, "{{queue}}"}}},
			{title: "울리는 경보", help: "지금 울리는 경보. 이름은 docs/operations.md의 제목과 같습니다.", unit: "short", now: true, width: 6, limits: ought0,
				empty:   "울리는 경보가 없습니다.",
				queries: []query{{`count by (alertname) (ALERTS{alertstate="firing"})`, "{{alertname}}"}}},
		}},
		{title: "대화", board: &conversations, panels: []panel{
			{title: "발화", help: "초당 답한 발화 수.", unit: "reqps", now: true,
				queries: []query{{`sum(rate(malgil_answers_total[$__rate_interval]))`, ""}}},
			{title: "제 답을 받지 못한 발화", help: "최근 5분에 늦거나 실패해 제 답을 받지 못한 발화의 비율.", unit: "percentunit", now: true, limits: badShare,
				empty:   "발화가 없으면 값이 없습니다.",
				queries: []query{{`malgil:answers_bad:ratio_rate5m`, ""}}},
			{title: "남은 응답 시간(빠듯한 5%)", help: "가장 빠듯한 5%가 카카오 제한까지 남긴 시간. 0에 가까우면 위험합니다.", unit: "s", now: true, limits: limits{1, 0.25},
				empty:   "발화가 없으면 값이 없습니다.",
				queries: []query{{`histogram_quantile(0.05, sum by (le) (rate(malgil_answer_budget_left_seconds_bucket[5m])))`, ""}}},
			{title: "살린 콜백", help: "최근 1시간의 콜백 중 사용자에게 전달된 비율.", unit: "percentunit", now: true, limits: limits{0.99, 0.95},
				empty: "콜백이 없으면 값이 없습니다.",
				queries: []query{{`sum(rate(malgil_callbacks_total{outcome="delivered"}[1h]))` +
					` / (sum(rate(malgil_callbacks_promised_total[1h])) > 0)`, ""}}},
			{title: "실패한 스킬 서버 호출", help: "최근 1시간에 답을 얻지 못한 스킬 서버 호출 수.", unit: "short", now: true,
				queries: []query{{`sum(increase(malgil_skill_server_call_duration_seconds_count{outcome!~"answered|stopped"}[1h]))`, ""}}},
			{title: "상담 제안", help: "최근 1시간에 상담직원 연결 버튼을 보여 준 응답 수.", unit: "short", now: true,
				queries: []query{{`sum(increase(malgil_handoffs_offered_total[1h]))`, ""}}},
		}},
		{title: "발송", board: &broadcasts, panels: []panel{
			{title: "보낸 사람", help: "이벤트 API가 받아들인 초당 사람 수.", unit: "suffix:명/s", now: true,
				queries: []query{{`sum(rate(malgil_event_recipients_total{outcome="accepted"}[$__rate_interval]))`, ""}}},
			{title: "보낼 청크", help: "아직 보내지 않은 청크 수. 한 청크는 최대 100명입니다.", unit: "short", now: true,
				queries: []query{{`sum(max by (state) (malgil_chunks{state=~"planned|queued"}))`, ""}}},
			{title: "불확실한 청크", help: "나갔는지 알 수 없는 청크 수. 스스로 다시 보내지 않습니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_chunks{state="in_doubt"})`, ""}}},
			{title: "멈춰 둔 청크", help: "작업이 세 번 죽어 사람을 기다리는 청크 수. 0이어야 합니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_chunks{state="parked"})`, ""}}},
			{title: "기다리는 발송", help: "보낼 청크가 있는데 무엇인가를 기다리는 발송 수.", unit: "short", now: true,
				queries: []query{{`sum(max by (reason) (malgil_broadcasts_waiting))`, ""}}},
			{title: "멈춘 봇", help: "카카오가 키를 받지 않거나 카카오 쪽 잔액이 없어 사람이 다시 켤 때까지 보내지 않는 봇 수. 0이어야 합니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`sum(max by (reason) (malgil_bots_paused))`, ""}}},
		}},
		{title: "돈", board: &money, panels: []panel{
			{title: "쓴 금액", help: "최근 1시간에 메시지 요금으로 확정된 공급가액.", unit: "currencyKRW", now: true,
				queries: []query{{`sum(increase(malgil_posted_krw_total{kind="capture"}[1h]))`, ""}}},
			{title: "미수 월렛", help: "모든 카드가 실패해 발송이 멈춘 월렛 수.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_wallets{payment_state="UNPAID"})`, ""}}},
			{title: "확인할 결제", help: "사람의 확인을 기다리는 결제, 충전, 환불 수. 0이어야 합니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_charges_in_review)`, ""}}},
			{title: "곧 떨어질 월렛", help: "카드 없이 쓰는 월렛 중 지난 7일처럼 쓰면 사흘 안에 캐시가 떨어질 월렛 수.", unit: "short", now: true,
				queries: []query{{`sum(max by (days) (malgil_wallets_runway{days=~"under_1|under_3"}))`, ""}}},
			{title: "자동결제 중단", help: "1이면 결제사가 우리 설정을 거부하거나 카드가 잇달아 거절되어 아무에게도 결제하지 않는 중입니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`clamp_max(max(malgil_charging_halted) + max(malgil_charging_storm), 1)`, ""}}},
			{title: "장부의 차이", help: "견준 장부가 맞지 않는 금액. 0이어야 합니다.", unit: "currencyKRW", now: true, limits: ought0,
				queries: []query{{`max(malgil_ledger_difference_krw)`, ""}}},
		}},
		{title: "메일과 세금계산서", board: &invoices, panels: []panel{
			{title: "보낸 메일", help: "최근 1시간에 보낸 알림 메일 수.", unit: "short", now: true,
				queries: []query{{`sum(increase(malgil_mails_total{outcome="sent"}[1h]))`, ""}}},
			{title: "보내지 못한 메일", help: "최근 1시간에 끝내 보내지 못한 알림 메일 수.", unit: "short", now: true, limits: ought0,
				queries: []query{{`sum(increase(malgil_mails_total{outcome=~"bounced|failed"}[1h]))`, ""}}},
			{title: "가장 오래된 메일", help: "아직 보내지 못한 알림 메일 중 가장 오래된 것의 나이.", unit: "s", now: true, limits: limits{600, 3600},
				queries: []query{{`max(malgil_mail_oldest_waiting_seconds)`, ""}}},
			{title: "법정 발행 기한까지", help: "발행되지 않은 세금계산서 중 가장 급한 것의 법정 기한까지 남은 시간. 0이면 이미 지났습니다.", unit: "s", now: true,
				limits: limits{5 * 86400, 2 * 86400}, empty: "발행할 세금계산서가 없습니다.",
				queries: []query{{`clamp_min(min(malgil_invoice_deadline_seconds), 0)`, ""}}},
			{title: "늦은 세금계산서", help: "법정 기한을 넘긴 세금계산서 수. 0이어야 합니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_invoices_late)`, ""}}},
			{title: "실패한 세금계산서", help: "발행되지 못하고 사람을 기다리는 세금계산서 수. 0이어야 합니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_invoices{state="failed"})`, ""}}},
		}},
		{title: "대기열과 작업", board: &queues, panels: []panel{
			{title: "기다리는 작업 수", help: "바로 시작할 수 있는데 기다리는 작업 수.", unit: "short", now: true,
				queries: []query{{`sum(max by (queue) (malgil_queue_tasks{state="pending"}))`, ""}}},
			{title: "죽은 작업", help: "재시도를 다 써서 사람을 기다리는 작업 수. 0이어야 합니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`sum(max by (type) (malgil_dead_tasks))`, ""}}},
			{title: "남은 디스크", help: "데이터베이스와 임시 폴더 중 더 찬 디스크에 남은 자리.", unit: "percentunit", now: true, limits: limits{0.2, 0.1},
				empty:   "디스크를 볼 수 없는 곳에서 돌고 있습니다.",
				queries: []query{{`min(malgil_disk_free_ratio)`, ""}}},
			{title: "가장 조용한 루프", help: "발송과 점검, 달력 루프 중 성공한 지 가장 오래된 것의 시간. 1분을 넘으면 멈춘 것입니다.", unit: "s", now: true, limits: limits{30, 60},
				empty:   "scheduler가 떠 있지 않습니다.",
				queries: []query{{`time() - min(max by (loop) (malgil_loop_last_success_timestamp_seconds{loop=~"dispatch|sweep|calendar"}))`, ""}}},
			{title: "떠 있는 프로세스", help: "Prometheus가 읽은 말길 프로세스 수.", unit: "short", now: true,
				queries: []query{{`sum(up{job="malgil"})`, ""}}},
			{title: "집계한 지", help: "대기열이나 저장소를 마지막으로 들여다본 뒤 지난 시간. 1분을 넘으면 위의 숫자를 믿을 수 없습니다.", unit: "s", now: true, limits: limits{30, 60},
				queries: []query{{`time() - min(max by (source) (malgil_sample_timestamp_seconds))`, ""}}},
		}},
	},
}

// badShare is of utterances without their answer: from where the alerts of the month's budget begin.
var badShare = limits{0.006, 0.0144}
