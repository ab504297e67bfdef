package notice_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/malgil/malgil/internal/notice"
)

// answer is what Kakao says of a call to 100 people, of whom it names some as failed.
func answer(failures ...string) []byte {
	list := make([]string, len(failures))
	for i, f := range failures {
		list[i] = fmt.Sprintf(`{"userId":"u%d","reqUserType":"botUserKey","createdAt":1,"errorMsg":%s}`, i, f)
	}
	return fmt.Appendf(nil, `{"taskId":"t","allRequestCount":100,"successCount":%d,"fail":{"count":%d,"list":[%s]}}`, 100-len(failures), len(failures), strings.Join(list, ","))
}

const (
	notFriend = `{"errorType":100,"msg":"not a friend"}`
	skillDown = `{"errorType":201,"msg":"Bot skill server responded with an HTTP error."}`
)

func TestBroadcastReport_Explained(t *testing.T) {
	many := func(r *notice.Reasons) {
		for i := range 300 { // words of his own for everybody
			r.Kakao(answer(fmt.Sprintf(`"no %03d"`, i)), 1)
		}
	}
	others := make([]notice.Reason, 6)
	for i := range others {
		others[i] = notice.Reason{Why: notice.FailedAtKakao, Words: fmt.Sprintf("no %03d", i), People: 1}
	}
	for name, tt := range map[string]struct {
		failed, skipped int64
		gather          func(*notice.Reasons)
		failures, left  []notice.Reason
	}{
		"nobody": {gather: func(*notice.Reasons) {}},
		"by number, most people first": {failed: 7, gather: func(r *notice.Reasons) {
			r.Kakao(answer(skillDown, notFriend), 2)
			r.Kakao(answer(notFriend, `{"errorType":100,"msg":"in other words"}`), 2)
			r.Fail(notice.FailedRefused, 2)
			r.Fail(notice.FailedParked, 1)
		}, failures: []notice.Reason{
			{Why: notice.FailedAtKakao, Code: 100, Words: "not a friend", People: 3}, {Why: notice.FailedRefused, People: 2},
			{Why: notice.FailedParked, People: 1}, {Why: notice.FailedAtKakao, Code: 201, Words: "Bot skill server responded with an HTTP error.", People: 1},
		}},
		"what Kakao says no reason for comes last": {failed: 4, gather: func(r *notice.Reasons) {
			r.Kakao(answer(`{}`, `""`, `"asleep"`), 4)
		}, failures: []notice.Reason{{Why: notice.FailedAtKakao, Words: "asleep", People: 1}, {Why: notice.FailedOther, People: 3}}},
		"no more of those whom Kakao names than failed": {failed: 1, gather: func(r *notice.Reasons) { r.Kakao(answer(notFriend, skillDown), 1) },
			failures: []notice.Reason{{Why: notice.FailedAtKakao, Code: 100, Words: "not a friend", People: 1}}},
		"more reasons than are told": {failed: 300, gather: many, failures: append(others, notice.Reason{Why: notice.FailedOther, People: 294})},
		"left out": {skipped: 30, gather: func(r *notice.Reasons) {
			r.Leave(notice.LeftOptedOut, 10)
			r.Leave(notice.LeftByExpiry, 20)
			r.Leave(notice.LeftCapped, 0)
		}, left: []notice.Reason{{Why: notice.LeftByExpiry, People: 20}, {Why: notice.LeftOptedOut, People: 10}}},
		"counts that have changed since": {failed: 2, skipped: 3, gather: func(r *notice.Reasons) {
			r.Fail(notice.FailedRefused, 3)
			r.Leave(notice.LeftByCancel, 2)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var r notice.Reasons
			tt.gather(&r)
			got := notice.BroadcastReport{Failed: tt.failed, Skipped: tt.skipped}.Explained(r)
			if diff := cmp.Diff(tt.failures, got.Failures); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.left, got.LeftOut); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
			if got.Expired() != (name == "left out") {
				t.Errorf("Expired = %v", got.Expired())
			}
		})
	}
}
