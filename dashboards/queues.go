package dashboards

// queues shows what waits in the queues, how tasks and loops end, and how the processes and what they stand
// on are.
var queues = board{
	name: "queues", title: "말길 대기열과 작업", help: "대기열에 무엇이 얼마나 기다리는지, 작업과 루프가 잘 끝나는지, 프로세스는 어떤지 봅니다.",
	variables: []variable{
		{label: "queue", title: "대기열", metric: "malgil_queue_tasks"},
		{label: "type", title: "작업 종류", metric: "malgil_task_duration_seconds_count"},
	},
	rows: []row{
		{title: "대기열", panels: []panel{
			{title: "가장 오래 기다린 작업", help: "맨 앞 작업이 기다린 시간. reply와 echo는 1초를 넘지 않아야 합니다.", unit: "s", many: true,
				queries: []query{{`max by (queue) (malgil_queue_oldest_waiting_seconds{queue=~"$queue"})`, "{{queue}}"}}},
			{title: "기다리는 작업", help: "바로 시작할 수 있는데 기다리는 작업 수를 대기열별로 봅니다.", unit: "short", many: true,
				queries: []query{{`max by (queue) (malgil_queue_tasks{state="pending", queue=~"$queue"})`, "{{queue}}"}}},
			{title: "하는 중인 작업", help: "워커가 하는 중인 작업 수를 대기열별로 봅니다.", unit: "short", many: true,
				queries: []query{{`max by (queue) (malgil_queue_tasks{state="active", queue=~"$queue"})`, "{{queue}}"}}},
			{title: "다시 할 작업", help: "실패해서 다시 하기를 기다리는 작업 수를 대기열별로 봅니다.", unit: "short", many: true,
				queries: []query{{`max by (queue) (malgil_queue_tasks{state="retry", queue=~"$queue"})`, "{{queue}}"}}},
			{title: "보관된 실패 작업", help: "재시도를 다 쓴 작업 수. 한 대기열에 5,000개가 넘으면 경보가 울립니다.", unit: "short", many: true, limits: limits{1000, 5000},
				queries: []query{{`max by (queue) (malgil_queue_tasks{state="archived", queue=~"$queue"})`, "{{queue}}"}}},
		}},
		{title: "작업", panels: []panel{
			{title: "끝난 작업", help: "초당 끝난 작업 수를 종류별로 봅니다.", unit: "ops", stacked: true, many: true,
				queries: []query{{`sum by (type) (rate(malgil_task_duration_seconds_count{verdict="done", type=~"$type"}[$__rate_interval]))`, "{{type}}"}}},
			{title: "작업 시간", help: "작업 종류별로 95%가 끝나는 시간.", unit: "s", many: true, empty: "그 종류의 작업이 없으면 값이 없습니다.",
				queries: []query{{`histogram_quantile(0.95, sum by (le, type) (rate(malgil_task_duration_seconds_bucket{type=~"$type"}[$__rate_interval])))`, "{{type}}"}}},
			{title: "실패한 작업", help: "초당 실패한 실행 수. retry는 곧 다시 하고, archived와 panic은 사람이 봐야 합니다.", unit: "ops", many: true,
				queries: []query{{`sum by (type, verdict) (rate(malgil_task_duration_seconds_count{verdict!="done", type=~"$type"}[$__rate_interval])) > 0`, "{{type}} {{verdict}}"}},
				empty:   "실패한 작업이 없습니다."},
		}},
		{title: "루프", panels: []panel{
			{title: "루프가 마지막으로 성공한 지", help: "scheduler의 루프가 마지막으로 성공한 뒤 지난 시간. 자주 도는 루프가 1분을 넘으면 멈춘 것입니다.", unit: "s", many: true,
				empty:   "scheduler가 떠 있지 않습니다.",
				queries: []query{{`time() - max by (loop) (malgil_loop_last_success_timestamp_seconds)`, "{{loop}}"}}},
			{title: "루프 시간", help: "루프가 한 번 도는 데 걸린 시간(95%).", unit: "s", many: true, empty: "scheduler가 떠 있지 않습니다.",
				queries: []query{{`histogram_quantile(0.95, sum by (le, loop) (rate(malgil_loop_duration_seconds_bucket[$__rate_interval])))`, "{{loop}}"}}},
			{title: "실패한 루프", help: "최근 1시간에 오류로 끝난 루프의 횟수.", unit: "short", many: true, empty: "scheduler가 떠 있지 않습니다.",
				queries: []query{{`sum by (loop) (increase(malgil_loop_failures_total[1h]))`, "{{loop}}"}}},
		}},
		{title: "HTTP", panels: []panel{
			{title: "HTTP 요청", help: "초당 요청 수를 상태 코드 묶음별로 봅니다.", unit: "reqps", stacked: true, empty: "요청을 받은 적이 없습니다.",
				queries: []query{{`sum by (status) (rate(malgil_http_requests_total[$__rate_interval]))`, "{{status}}"}}},
			{title: "HTTP 응답 시간", help: "경로별로 99%가 끝나는 시간. 스킬 경로는 4.5초를 넘지 않아야 합니다.", unit: "s", many: true, empty: "요청이 없으면 값이 없습니다.",
				queries: []query{{`histogram_quantile(0.99, sum by (le, route) (rate(malgil_http_request_duration_seconds_bucket[$__rate_interval])))`, "{{route}}"}}},
		}},
		{title: "프로세스", panels: []panel{
			{title: "프로세스", help: "역할마다 읽히는 프로세스 수.", unit: "short",
				queries: []query{{`sum by (role) (up{job="malgil"})`, "{{role}}"}}},
			{title: "메모리", help: "프로세스마다 쓰는 실제 메모리.", unit: "bytes", many: true,
				queries: []query{{`process_resident_memory_bytes{job="malgil"}`, "{{role}} {{instance}}"}}},
			{title: "CPU", help: "프로세스마다 쓰는 CPU 코어 수.", unit: "short", many: true,
				queries: []query{{`rate(process_cpu_seconds_total{job="malgil"}[$__rate_interval])`, "{{role}} {{instance}}"}}},
			{title: "고루틴", help: "프로세스마다 고루틴 수. 계속 늘기만 하면 새고 있는 것입니다.", unit: "short", many: true,
				queries: []query{{`go_goroutines{job="malgil"}`, "{{role}} {{instance}}"}}},
			{title: "버전", help: "버전마다 떠 있는 프로세스 수. 바꾸는 동안에만 둘 이상입니다.", unit: "short",
				queries: []query{{`sum by (version, revision) (malgil_build_info)`, "{{version}} {{revision}}"}}},
			{title: "집계한 지", help: "대기열과 저장소를 마지막으로 들여다본 뒤 지난 시간. 1분을 넘으면 그 숫자는 보이지 않습니다.", unit: "s", limits: limits{30, 60},
				queries: []query{{`time() - max by (source) (malgil_sample_timestamp_seconds)`, "{{source}}"}}},
		}},
	},
}
