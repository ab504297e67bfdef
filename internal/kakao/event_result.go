package kakao

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/malgil/malgil/internal/fault"
)

// SendResult is what Kakao says became of one send call (발송 성공여부 조회). The counts are
// final when SuccessCount + FailCount == AllRequestCount.
type SendResult struct {
	TaskID          string
	Status          string // "ALL SUCCESS" or "2 FAIL"
	AllRequestCount int
	SuccessCount    int
	FailCount       int
	Unresolved      int           // of FailCount: ids that Kakao could not resolve and does not name
	Failures        []SendFailure // the named part of FailCount
	Raw             []byte        // Kakao's answer
}

// SkillFailed is the error type of a person for whose message the skill server answered with an error: it was
// called, and he got nothing.
const SkillFailed = 201

// SendFailure is one person whom an event did not reach.
type SendFailure struct {
	UserID, UserType string
	At               time.Time // zero when Kakao does not say
	ErrorType        int       // such as [SkillFailed]; 0 when Kakao does not say
	Message          string
}

// Result looks a task up; looking changes nothing at Kakao, so that it may always be repeated.
// Its errors are NotFound for a task that Kakao itself does not know, Refused ([CodeConfig] or
// [CodeRejected]), Throttled, and Unavailable for everything else.
func (c *EventClient) Result(ctx context.Context, restKey, taskID string) (SendResult, error) {
	if !usableKey(restKey) {
		return SendResult{}, fault.Coded(fault.Refused, CodeConfig, "the bot has no usable REST API key; set it")
	}
	if taskID == "" {
		return SendResult{}, fault.New(fault.NotFound, "a task without an id cannot be looked up")
	}
	answer, err := c.peer.Do(ctx, http.MethodGet, "/v1/tasks/"+url.PathEscape(taskID), authorization(restKey), nil)
	if err != nil {
		return SendResult{}, fault.Wrap(fault.Unavailable, err, "Kakao did not answer the look-up")
	}
	switch answer.Status {
	case http.StatusOK:
		if result, ok := readSendResult(answer.Body); ok && (result.TaskID == "" || result.TaskID == taskID) {
			return result, nil
		}
		return SendResult{}, fault.New(fault.Unavailable, "Kakao answered the look-up with something that is no result of this task")
	case http.StatusNotFound:
		if len(answer.Body) > 0 && !json.Valid(answer.Body) { // a page of somebody else
			return SendResult{}, fault.New(fault.Unavailable, "something that is not the Event API answered the look-up")
		}
		return SendResult{}, fault.New(fault.NotFound, "Kakao does not know the task")
	case http.StatusBadRequest:
		return SendResult{}, fault.Coded(fault.Refused, CodeRejected, "Kakao refused the look-up")
	case http.StatusUnauthorized, http.StatusForbidden:
		return SendResult{}, fault.Coded(fault.Refused, CodeConfig, "Kakao does not accept the bot's REST API key")
	case http.StatusTooManyRequests:
		return SendResult{}, &fault.Error{Kind: fault.Throttled, Message: "Kakao asks to look up more slowly", RetryAfter: retryAfter(answer.Header)}
	}
	return SendResult{}, fault.New(fault.Unavailable, "Kakao answered the look-up with status %d", answer.Status)
}

// Failures reads the people whom Kakao names in an answer that was kept; none in one that is no result.
func Failures(answer []byte) []SendFailure { return Kept(answer).Failures }

// Kept reads an answer that was kept, complete or not; the zero value in one that is no result.
func Kept(answer []byte) SendResult {
	result, _ := readSendResult(answer)
	return result
}

// readSendResult reads a result in each of the spellings that have been seen. It is no result
// without the number of people requested.
func readSendResult(body []byte) (SendResult, bool) {
	o := asObject(json.RawMessage(strings.TrimSpace(string(body))))
	all, ok := o.count("allRequestCount")
	if !ok {
		return SendResult{}, false
	}
	fail := o.object("fail")
	result := SendResult{TaskID: o.either("taskId", "taskID"), Status: o.text("status"), AllRequestCount: all, Raw: body}
	result.SuccessCount, _ = o.count("successCount")
	result.Unresolved, _ = o.count("userKeyResolvingFailCount")
	result.FailCount, _ = fail.count("count")
	for _, raw := range fail.list("list") {
		result.Failures = append(result.Failures, readSendFailure(asObject(raw)))
	}
	return result, true
}

func readSendFailure(o object) SendFailure {
	failure := SendFailure{UserID: o.either("userId", "userID"), UserType: o.text("reqUserType")}
	if seconds, ok := o.count("createdAt"); ok { // seconds, unlike the send answer
		failure.At = time.Unix(int64(seconds), 0).UTC()
	}
	if reason := o.object("errorMsg"); reason != nil {
		failure.ErrorType, _ = reason.count("errorType")
		failure.Message = reason.text("msg")
	} else {
		failure.Message = o.text("errorMsg")
	}
	return failure
}

// count reads a whole number, also one in quotes.
func (o object) count(name string) (int, bool) {
	n, err := strconv.Atoi(o.text(name))
	return n, err == nil
}

// either reads a text under the first of two names that holds one.
func (o object) either(name, other string) string {
	if text := o.text(name); text != "" {
		return text
	}
	return o.text(other)
}
