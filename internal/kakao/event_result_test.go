package kakao_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/malgil/malgil/internal/fault"
	"github.com/malgil/malgil/internal/kakao"
)

func TestEventClient_Result(t *testing.T) {
	tests := map[string]struct {
		status   int
		body     string
		want     kakao.SendResult
		wantKind fault.Kind
		wantCode string
	}{
		"all reached": {
			status: 200, body: `{"taskId":"t-1","status":"ALL SUCCESS","allRequestCount":3,"successCount":3,"fail":{"count":0,"list":[]}}`,
			want: kakao.SendResult{TaskID: "t-1", Status: "ALL SUCCESS", AllRequestCount: 3, SuccessCount: 3},
		},
		"named and unnamed failures": {
			status: 200, body: ` {"taskId":"t-1","status":"2 FAIL","allRequestCount":3,"successCount":1,"userKeyResolvingFailCount":1,
				"fail":{"count":2,"list":[{"userId":"Zk3","reqUserType":"plusfriendUserKey","createdAt":1795490003,
				"errorMsg":{"errorType":201,"msg":"Bot skill server responded with an HTTP error."}}]}}`,
			want: kakao.SendResult{
				TaskID: "t-1", Status: "2 FAIL", AllRequestCount: 3, SuccessCount: 1, FailCount: 2, Unresolved: 1,
				Failures: []kakao.SendFailure{{
					UserID: "Zk3", UserType: "plusfriendUserKey", At: time.Unix(1795490003, 0).UTC(),
					ErrorType: 201, Message: "Bot skill server responded with an HTTP error.",
				}},
			},
		},
		"the older spelling": {
			status: 200, body: `{"taskID":"t-1","status":"1 FAIL","allRequestCount":"1","successCount":0,"fail":{"count":1,"list":[{"userID":"u","errorMsg":"not a friend"}]}}`,
			want: kakao.SendResult{
				TaskID: "t-1", Status: "1 FAIL", AllRequestCount: 1, FailCount: 1,
				Failures: []kakao.SendFailure{{UserID: "u", Message: "not a friend"}},
			},
		},
		"not complete, without fail": {
			status: 200, body: `{"taskId":"t-1","allRequestCount":2,"successCount":1}`,
			want: kakao.SendResult{TaskID: "t-1", AllRequestCount: 2, SuccessCount: 1},
		},
		"without counts":  {status: 200, body: `{"taskId":"t-1"}`, wantKind: fault.Unavailable},
		"of another task": {status: 200, body: `{"taskId":"t-2","allRequestCount":2}`, wantKind: fault.Unavailable},
		"garbage":         {status: 200, body: `<html>`, wantKind: fault.Unavailable},
		"unknown":         {status: 404, wantKind: fault.NotFound},
		"somebody else":   {status: 404, body: "<html>Not Found</html>", wantKind: fault.Unavailable},
		"refused":         {status: 400, wantKind: fault.Refused, wantCode: "rejected"},
		"wrong key":       {status: 401, wantKind: fault.Refused, wantCode: "config"},
		"too fast":        {status: 429, wantKind: fault.Throttled},
		"broken":          {status: 502, wantKind: fault.Unavailable},
		"elsewhere":       {status: 307, wantKind: fault.Unavailable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.RequestURI != "/v1/tasks/t-1" || r.Header.Get("Authorization") != "KakaoAK "+restKey {
					t.Errorf("Result() called %s %s with %q", r.Method, r.RequestURI, r.Header.Get("Authorization"))
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			t.Cleanup(server.Close)
			got, err := newEventClient(t, server.URL, 0).Result(t.Context(), restKey, "t-1")
			if tt.wantKind != fault.Internal {
				if fault.KindOf(err) != tt.wantKind || fault.CodeOf(err) != tt.wantCode {
					t.Errorf("Result() = %v (%v, code %q), want %v, code %q", err, fault.KindOf(err), fault.CodeOf(err), tt.wantKind, tt.wantCode)
				}
				return
			}
			if err != nil {
				t.Fatalf("Result() = %v, want nil", err)
			}
			if string(got.Raw) != tt.body {
				t.Errorf("Result() kept %s, want %s", got.Raw, tt.body)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(kakao.SendResult{}, "Raw")); diff != "" {
				t.Errorf("Result() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEventClient_Result_withoutAnswer(t *testing.T) {
	silent := rawServer(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	_, err := newEventClient(t, silent, 50*time.Millisecond).Result(t.Context(), restKey, "t-1")
	if got := fault.KindOf(err); got != fault.Unavailable {
		t.Errorf("Result() without answer = %v (%v), want unavailable: a look-up may be repeated", err, got)
	}
	if _, err := newEventClient(t, silent, 0).Result(t.Context(), restKey, ""); fault.KindOf(err) != fault.NotFound {
		t.Errorf("Result(no task) = %v, want not found", err)
	}
}
