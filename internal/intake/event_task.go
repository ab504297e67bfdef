package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/malgil/malgil/internal/broadcast"
	"github.com/malgil/malgil/internal/kakao"
	"github.com/malgil/malgil/internal/store"
)

// taskView is Kakao's answer to a look-up (발송 성공여부 조회). It is final when successCount and
// fail.count add up to allRequestCount.
type taskView struct {
	TaskID     string   `json:"taskId"`
	Status     string   `json:"status" doc:"ALL SUCCESS or {n} FAIL, by the counts so far"`
	All        int      `json:"allRequestCount"`
	Success    int      `json:"successCount"`
	Unresolved int      `json:"userKeyResolvingFailCount,omitempty" doc:"Ids that Kakao could not resolve; they are in fail.count and not in fail.list"`
	Fail       taskFail `json:"fail"`
}

type taskFail struct {
	Count int             `json:"count"`
	List  []taskFailEntry `json:"list" nullable:"false"`
}

type taskFailEntry struct {
	UserID    string    `json:"userId"`
	Type      string    `json:"reqUserType"`
	CreatedAt int64     `json:"createdAt" doc:"Seconds"`
	Error     taskError `json:"errorMsg"`
}

type taskError struct {
	Type    int    `json:"errorType" doc:"Kakao's number, 201 for an error of the skill server; 0 where Malgil says why"`
	Message string `json:"msg"`
}

// eventTask tells what became of a call.
func (s *Server) eventTask(w http.ResponseWriter, r *http.Request) {
	view, err := s.taskOf(r.Context(), r.PathValue("task"))
	if err != nil {
		s.logMistake(r.Context(), taskRoute, err)
		s.refuseAsKakao(taskRoute)(w, problemOf(err))
		return
	}
	writeJSON(w, http.StatusOK, view)
}

func (s *Server) taskOf(ctx context.Context, task string) (taskView, error) {
	id, ok := broadcast.OfReceipt(task)
	if !ok {
		return taskView{}, errNoTask
	}
	b, err := s.services.Read.Broadcast(ctx, id)
	if err != nil {
		return taskView{}, err
	}
	chunks, err := s.services.Explain.People(ctx, id, store.PeopleFilter{}, 3)
	if err != nil {
		return taskView{}, err
	}
	ofNoCall := func(c store.ChunkPeople) bool { return c.Chunk.LeftOut == "" }
	if b.State == broadcast.Uploading || len(chunks) == 0 || slices.ContainsFunc(chunks[1:], ofNoCall) {
		return taskView{}, errNoTask
	}
	ended := b.FinishedAt
	if ended.IsZero() {
		ended = b.CreatedAt
	}
	view, err := viewTask(chunks[0], ended)
	for _, c := range chunks[1:] {
		leftOut, errOf := viewTask(c, ended)
		view, err = view.and(leftOut), errors.Join(err, errOf)
	}
	view.TaskID = id.Receipt()
	return view, err
}

// viewTask tells what became of a chunk as Kakao would; the counts are final when the chunk is. Of a
// chunk in doubt only what is proven counts, so it stays open.
func viewTask(c store.ChunkPeople, ended time.Time) (v taskView, err error) {
	v.All, v.Fail.List = c.Chunk.People, []taskFailEntry{}
	told := kakao.Kept(c.Result)
	switch c.Chunk.State {
	case broadcast.Settled:
		// A person, or a correction, may have said otherwise than Kakao's last answer.
		v.Success, v.Fail.Count = c.Chunk.Delivered, c.Chunk.Failed+c.Chunk.Unknown
		told.Failures = told.Failures[:min(len(told.Failures), c.Chunk.Failed)]
		told.Unresolved = min(told.Unresolved, c.Chunk.Unknown)
	case broadcast.Sent:
		v.Success, v.Fail.Count = told.SuccessCount, told.FailCount
	case broadcast.InDoubt:
		v.Success, told = c.Chunk.Delivered, kakao.SendResult{}
	case broadcast.Rejected, broadcast.Parked, broadcast.Expired, broadcast.ChunkCancelled:
		told = kakao.SendResult{}
		v.Fail.Count = v.All
		v.Fail.List, err = allFailed(c, ended)
	case broadcast.Planned, broadcast.Queued, broadcast.Sending:
		told = kakao.SendResult{}
	}
	v.Unresolved = told.Unresolved
	for _, f := range told.Failures {
		at := f.At
		if at.IsZero() {
			at = ended
		}
		v.Fail.List = append(v.Fail.List, taskFailEntry{UserID: f.UserID, Type: f.UserType, CreatedAt: at.Unix(), Error: taskError{f.ErrorType, f.Message}})
	}
	v.Status = "ALL SUCCESS"
	if v.Fail.Count > 0 {
		v.Status = fmt.Sprintf("%d FAIL", v.Fail.Count)
	}
	return v, err
}

// and adds people who were left out of the call when it was their turn.
func (v taskView) and(more taskView) taskView {
	v.All, v.Fail.Count = v.All+more.All, v.Fail.Count+more.Fail.Count
	v.Fail.List = append(v.Fail.List, more.Fail.List...)
	v.Status = fmt.Sprintf("%d FAIL", v.Fail.Count)
	return v
}

// allFailed names everybody of a chunk that Kakao has nothing of.
func allFailed(c store.ChunkPeople, ended time.Time) ([]taskFailEntry, error) {
	var recipients []broadcast.Recipient
	if err := json.Unmarshal(c.Recipients, &recipients); err != nil {
		return nil, fmt.Errorf("read the recipients of chunk %s: %w", c.Chunk.ID, err)
	}
	_, why := outcomeOf(c.Chunk)
	switch c.Chunk.State {
	case broadcast.Expired:
		why = "it expired before it was sent"
	case broadcast.ChunkCancelled:
		switch c.Chunk.LeftOut {
		case broadcast.OptedOut:
			why = "has refused messages of this bot"
		case broadcast.Capped:
			why = "has got as many messages as the bot writes to one person"
		case broadcast.NoConsent:
			why = "has not agreed to advertising"
		default:
			why = "it was cancelled before it was sent"
		}
	}
	list := make([]taskFailEntry, len(recipients))
	for i, r := range recipients {
		list[i] = taskFailEntry{UserID: r.ID, Type: r.Type, CreatedAt: ended.Unix(), Error: taskError{0, why}}
	}
	return list, nil
}
