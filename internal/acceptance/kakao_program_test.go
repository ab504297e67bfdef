package acceptance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// kakaoProgram is a program as somebody wrote it for Kakao's Event API: it knows Kakao's texts and
// nothing of Malgil. Where Kakao is and its key are settings of its.
type kakaoProgram struct {
	base, key string
	channel   string // a bot id; with ! at its end the development channel
	header    http.Header
}

type kakaoPerson struct {
	Type       string            `json:"type"`
	ID         string            `json:"id"`
	Properties map[string]string `json:"properties,omitempty"`
}

type kakaoEvent struct {
	Name string            `json:"name"`
	Data map[string]string `json:"data,omitempty"`
}

type kakaoReceipt struct {
	TaskID    string `json:"taskId"`
	Status    string `json:"status"`
	Message   string `json:"message"`
	Timestamp int64  `json:"timestamp"`
}

type kakaoOutcome struct {
	TaskID     string `json:"taskId"`
	Status     string `json:"status"`
	All        int    `json:"allRequestCount"`
	Success    int    `json:"successCount"`
	Unresolved int    `json:"userKeyResolvingFailCount"`
	Fail       struct {
		Count int `json:"count"`
		List  []struct {
			UserID    string `json:"userId"`
			Type      string `json:"reqUserType"`
			CreatedAt int64  `json:"createdAt"`
			Error     struct {
				Type    int    `json:"errorType"`
				Message string `json:"msg"`
			} `json:"errorMsg"`
		} `json:"list"`
	} `json:"fail"`
}

// kakaoRefusal is a call that was not taken.
type kakaoRefusal struct {
	status  int
	message string
}

func (r *kakaoRefusal) Error() string { return fmt.Sprintf("%d %s", r.status, r.message) }

// notify fires an event for people and returns the receipt.
func (p kakaoProgram) notify(ctx context.Context, event kakaoEvent, params map[string]any, people ...kakaoPerson) (kakaoReceipt, error) {
	return p.send(ctx, "talk", map[string]any{"event": event, "user": people, "params": params})
}

// announce fires an event in group rooms.
func (p kakaoProgram) announce(ctx context.Context, event kakaoEvent, rooms ...string) (kakaoReceipt, error) {
	chat := []kakaoPerson{}
	for _, id := range rooms {
		chat = append(chat, kakaoPerson{Type: "botGroupKey", ID: id})
	}
	return p.send(ctx, "group", map[string]any{"event": event, "chat": chat})
}

func (p kakaoProgram) send(ctx context.Context, what string, body any) (receipt kakaoReceipt, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return receipt, err
	}
	if err := p.call(ctx, http.MethodPost, "/v2/bots/"+p.channel+"/"+what, text, &receipt); err != nil {
		return receipt, err
	}
	if receipt.Status != "SUCCESS" || receipt.TaskID == "" {
		return receipt, &kakaoRefusal{http.StatusOK, receipt.Message}
	}
	return receipt, nil
}

// outcome asks once what became of a call.
func (p kakaoProgram) outcome(ctx context.Context, task string) (o kakaoOutcome, err error) {
	err = p.call(ctx, http.MethodGet, "/v1/tasks/"+task, nil, &o)
	return o, err
}

// final asks until nobody is left of whom nothing is known, for at most 20 seconds.
func (p kakaoProgram) final(ctx context.Context, task string) (o kakaoOutcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		if o, err = p.outcome(ctx, task); err != nil || o.Success+o.Fail.Count == o.All {
			return o, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return o, fmt.Errorf("task %s is still open: %+v", task, o)
		}
	}
}

func (p kakaoProgram) call(ctx context.Context, method, path string, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, p.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range p.header {
		request.Header[name] = values
	}
	request.Header.Set("Authorization", "KakaoAK "+p.key)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		var why struct {
			Message string `json:"message"`
		}
		if err := json.Unmarshal(answer, &why); err != nil {
			return fmt.Errorf("%d %s is no answer of Kakao's: %w", response.StatusCode, answer, err)
		}
		return &kakaoRefusal{response.StatusCode, why.Message}
	}
	return json.Unmarshal(answer, into)
}
