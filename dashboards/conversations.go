package dashboards

// conversations shows whether people are answered in time, and by what.
var conversations = board{
	name: "conversations", title: "말길 대화", help: "사용자의 말에 제때 제대로 답하는지, 콜백과 상담 연결, 스킬 서버는 어떤지 봅니다.",
	rows: []row{
		{title: "응답", panels: []panel{
			{title: "발화 응답", help: "초당 발화 수를 응답 방식별로 봅니다. late와 failed는 거의 없어야 합니다.", unit: "reqps", stacked: true, many: true,
				queries: []query{{`sum by (outcome) (rate(malgil_answers_total[$__rate_interval]))`, "{{outcome}}"}}},
			{title: "제 답을 받지 못한 비율", help: "늦거나 실패해 제 답을 받지 못한 발화의 비율. 5분과 1시간이 함께 붉은 선을 넘으면 경보가 울립니다.", unit: "percentunit", limits: badShare,
				empty: "발화가 없으면 값이 없습니다.", queries: []query{
					{`malgil:answers_bad:ratio_rate5m`, "5분"}, {`malgil:answers_bad:ratio_rate30m`, "30분"},
					{`malgil:answers_bad:ratio_rate1h`, "1시간"}, {`malgil:answers_bad:ratio_rate6h`, "6시간"}}},
			{title: "남은 응답 시간", help: "카카오 제한까지 남은 시간. 가장 빠듯한 5%가 0에 가까우면 위험합니다.", unit: "s", limits: limits{1, 0.25},
				empty: "발화가 없으면 값이 없습니다.", queries: []query{
					{`histogram_quantile(0.05, sum by (le) (rate(malgil_answer_budget_left_seconds_bucket[$__rate_interval])))`, "빠듯한 5%"},
					{`histogram_quantile(0.5, sum by (le) (rate(malgil_answer_budget_left_seconds_bucket[$__rate_interval])))`, "중앙값"}}},
			{title: "기다린 발화", help: "맨 앞 발화가 대기열에서 기다린 시간. 1초를 넘지 않아야 합니다.", unit: "s", limits: limits{1, 2},
				queries: []query{{`max by (queue) (malgil_queue_oldest_waiting_seconds{queue=~"reply|echo"})`, "{{queue}}"}}},
			{title: "발화 작업 시간", help: "발화에 답하는 작업이 걸린 시간의 95%와 중앙값.", unit: "s",
				empty: "발화가 없으면 값이 없습니다.", queries: []query{
					{`histogram_quantile(0.95, sum by (le) (rate(malgil_task_duration_seconds_bucket{type="utterance:answer"}[$__rate_interval])))`, "95%"},
					{`histogram_quantile(0.5, sum by (le) (rate(malgil_task_duration_seconds_bucket{type="utterance:answer"}[$__rate_interval])))`, "중앙값"}}},
		}},
		{title: "콜백과 상담 연결", panels: []panel{
			{title: "콜백", help: "초당 콜백 수를 결과별로 봅니다. delivered는 늦었지만 살린 답입니다.", unit: "reqps", stacked: true,
				queries: []query{{`sum by (outcome) (rate(malgil_callbacks_total[$__rate_interval]))`, "{{outcome}}"}}},
			{title: "콜백 실패 이유", help: "최근 1시간에 전달되지 않은 콜백의 이유. use_callback, bot_id, body는 설정이나 코드의 잘못입니다.", unit: "short", many: true,
				queries: []query{{`sum by (reason) (increase(malgil_callback_failures_total[1h]))`, "{{reason}}"}}},
			{title: "상담 제안", help: "최근 1시간에 상담직원 연결 버튼을 보여 준 응답 수를 자리별로 봅니다. after_fallbacks가 많으면 알아듣지 못하는 말이 많은 것입니다.", unit: "short",
				queries: []query{{`sum by (spot) (increase(malgil_handoffs_offered_total[1h]))`, "{{spot}}"}}},
		}},
		{title: "스킬 서버", panels: []panel{
			{title: "스킬 서버 호출", help: "초당 스킬 서버 호출 수를 결과별로 봅니다. full과 open, barred는 부르지 않은 것입니다.", unit: "reqps", stacked: true, many: true,
				queries: []query{{`sum by (outcome) (rate(malgil_skill_server_call_duration_seconds_count[$__rate_interval]))`, "{{outcome}}"}}},
			{title: "스킬 서버 응답 시간", help: "스킬 서버가 답하는 데 걸린 시간의 95%와 중앙값.", unit: "s",
				empty: "스킬 서버를 부르지 않았습니다.", queries: []query{
					{`histogram_quantile(0.95, sum by (le) (rate(malgil_skill_server_call_duration_seconds_bucket{outcome="answered"}[$__rate_interval])))`, "95%"},
					{`histogram_quantile(0.5, sum by (le) (rate(malgil_skill_server_call_duration_seconds_bucket{outcome="answered"}[$__rate_interval])))`, "중앙값"}}},
			{title: "부르는 중인 스킬 서버", help: "지금 부르는 중이거나 같은 봇의 차례를 기다리는 호출 수.", unit: "short",
				queries: []query{{`sum(malgil_skill_server_calls)`, "호출"}}},
			{title: "스킬 서버 차단기", help: "최근에 부른 스킬 서버 수를 차단기의 상태별로 봅니다. open이면 잠시 부르지 않습니다.", unit: "short", stacked: true,
				queries: []query{{`sum by (state) (malgil_skill_server_breakers)`, "{{state}}"}}},
		}},
		{title: "봇과 기록", panels: []panel{
			{title: "읽지 못한 봇 버전", help: "최근 1시간에 새 버전을 읽지 못한 횟수. 그동안 이전 버전이 답합니다. 0이어야 합니다.", unit: "short", limits: ought0,
				queries: []query{{`sum(increase(malgil_bot_version_failures_total[1h]))`, "횟수"}}},
			{title: "기록하지 못한 발화", help: "최근 1시간에 응답은 했지만 발화 기록에 남기지 못한 수. 0이어야 합니다.", unit: "short", limits: ought0,
				queries: []query{{`sum(increase(malgil_utterances_unrecorded_total[1h]))`, "발화"}}},
			{title: "지운 발화", help: "최근 1시간에 보관 기간이 지나 지운 발화 수.", unit: "short",
				queries: []query{{`sum(increase(malgil_utterances_purged_total[1h]))`, "발화"}}},
		}},
	},
}
