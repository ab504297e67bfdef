package dashboards

// broadcasts shows how fast messages go out, what keeps them, and what is not known of them.
var broadcasts = board{
	name: "broadcasts", title: "말길 발송", help: "메시지가 얼마나 빨리 나가는지, 무엇을 기다리는지, 결과를 모르는 것은 얼마인지 봅니다.",
	rows: []row{
		{title: "지금", panels: []panel{
			{title: "보낼 청크", help: "아직 보내지 않은 청크 수. 한 청크는 최대 100명입니다.", unit: "short", now: true,
				queries: []query{{`sum(max by (state) (malgil_chunks{state=~"planned|queued"}))`, ""}}},
			{title: "보내는 중인 청크", help: "지금 요청이 나가 있는 청크 수.", unit: "short", now: true,
				queries: []query{{`max(malgil_chunks{state="sending"})`, ""}}},
			{title: "기다리게 된 봇", help: "카카오가 쉬라고 했거나 답하지 않아 발송이 기다리는 봇 수. 스스로 다시 보냅니다.", unit: "short", now: true,
				queries: []query{{`max(malgil_bots_standing)`, ""}}},
			{title: "불확실한 청크", help: "나갔는지 알 수 없는 청크 수. 스스로 다시 보내지 않습니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_chunks{state="in_doubt"})`, ""}}},
			{title: "멈춰 둔 청크", help: "작업이 세 번 죽어 사람을 기다리는 청크 수. 0이어야 합니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`max(malgil_chunks{state="parked"})`, ""}}},
			{title: "놓친 예약 발송", help: "최근 24시간에 나가지 못한 예약 발송 횟수. 0이어야 합니다.", unit: "short", now: true, limits: ought0,
				queries: []query{{`sum(max by (outcome) (malgil_schedule_times_lost))`, ""}}},
		}},
		{title: "보내기", panels: []panel{
			{title: "보내는 속도", help: "이벤트 API로 초당 보낸 사람 수를 요청 결과별로 봅니다.", unit: "suffix:명/s", stacked: true, many: true,
				queries: []query{{`sum by (outcome) (rate(malgil_event_recipients_total[$__rate_interval]))`, "{{outcome}}"}}},
			{title: "이벤트 API 요청", help: "초당 요청 수를 결과별로 봅니다. config와 provider는 카카오 쪽 설정이나 잔액 문제입니다.", unit: "reqps", many: true,
				queries: []query{{`sum by (outcome) (rate(malgil_event_requests_total[$__rate_interval]))`, "{{outcome}}"}}},
			{title: "결과가 온 메시지", help: "카카오가 결과를 알려 준 메시지 수. delivered만 요금을 냅니다.", unit: "suffix:건/s", stacked: true,
				queries: []query{{`sum by (outcome) (rate(malgil_messages_total[$__rate_interval]))`, "{{outcome}}"}}},
			{title: "전달된 비율", help: "결과가 온 메시지 중 전달된 비율. 친구가 아닌 사람이 많으면 낮습니다.", unit: "percentunit",
				empty: "결과가 온 메시지가 없으면 값이 없습니다.",
				queries: []query{{`sum(rate(malgil_messages_total{outcome="delivered"}[$__rate_interval]))` +
					` / (sum(rate(malgil_messages_total[$__rate_interval])) > 0)`, "전달"}}},
			{title: "청크 상태", help: "끝나지 않은 청크를 상태별로 봅니다.", unit: "short", stacked: true, many: true,
				queries: []query{{`max by (state) (malgil_chunks)`, "{{state}}"}}},
		}},
		{title: "기다림", panels: []panel{
			{title: "기다리는 발송", help: "보낼 청크가 있는데 기다리는 발송 수를 이유별로 봅니다. config와 provider는 사람이 풀어야 합니다.", unit: "short", stacked: true, many: true,
				queries: []query{{`max by (reason) (malgil_broadcasts_waiting)`, "{{reason}}"}}},
			{title: "속도 제한", help: "워커가 보내도 되는지 물은 결과를 초당 횟수로 봅니다. later와 full은 봇의 한도, stands는 카카오의 요청입니다.", unit: "ops", many: true,
				queries: []query{{`sum by (outcome) (rate(malgil_rate_waits_total[$__rate_interval]))`, "{{outcome}}"}}},
			{title: "멈춘 봇", help: "카카오가 키를 받지 않거나(config) 카카오 쪽 잔액이 없어(provider) 보내지 않는 봇 수. 사람이 다시 켭니다. 0이어야 합니다.", unit: "short", limits: ought0,
				queries: []query{{`max by (reason) (malgil_bots_paused)`, "{{reason}}"}}},
			{title: "카카오의 응답", help: "카카오에 보낸 초당 요청 수를 결과별로 봅니다. no_answer는 닿았는지 모르고 unsent는 닿지 않은 것입니다.", unit: "reqps", stacked: true, many: true,
				queries: []query{{`sum by (outcome) (rate(malgil_peer_request_duration_seconds_count{peer="kakao"}[$__rate_interval]))`, "{{outcome}}"}}},
			{title: "카카오의 응답 시간", help: "카카오가 답하는 데 걸린 시간의 95%와 중앙값.", unit: "s",
				empty: "카카오에 보낸 요청이 없습니다.", queries: []query{
					{`histogram_quantile(0.95, sum by (le) (rate(malgil_peer_request_duration_seconds_bucket{peer="kakao"}[$__rate_interval])))`, "95%"},
					{`histogram_quantile(0.5, sum by (le) (rate(malgil_peer_request_duration_seconds_bucket{peer="kakao"}[$__rate_interval])))`, "중앙값"}}},
		}},
		{title: "불확실한 것", panels: []panel{
			{title: "불확실한 돈", help: "불확실한 청크 때문에 묶인 금액. 72시간이 지나면 풀립니다.", unit: "currencyKRW",
				queries: []query{{`max(malgil_doubt_held_krw)`, "묶인 금액"}}},
			{title: "가장 오래된 불확실", help: "돈이 묶인 채 가장 오래된 불확실한 청크의 나이. 1시간이 넘으면 경보가 울립니다.", unit: "s", limits: limits{1800, 3600},
				queries: []query{{`max(malgil_doubt_oldest_seconds)`, "나이"}}},
		}},
		{title: "예약과 웹훅", panels: []panel{
			{title: "예약 발송", help: "최근 1시간에 돌아온 예약 발송을 결과별로 봅니다. missed와 failed는 나가지 못한 것입니다.", unit: "short",
				queries: []query{{`sum by (outcome) (increase(malgil_schedule_runs_total[1h]))`, "{{outcome}}"}}},
			{title: "웹훅", help: "최근 1시간에 웹훅으로 알린 시도를 결과별로 봅니다. waiting은 다시 합니다.", unit: "short",
				queries: []query{{`sum by (outcome) (increase(malgil_webhooks_total[1h]))`, "{{outcome}}"}}},
			{title: "기다리는 웹훅", help: "아직 알리지 못한 웹훅 수와, 자리가 없어 최근 1시간에 버린 수.", unit: "short",
				queries: []query{{`max(malgil_webhooks_waiting)`, "기다림"}, {`sum(increase(malgil_webhooks_dropped_total[1h]))`, "버림"}}},
		}},
	},
}
