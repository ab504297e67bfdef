package kakao

// Event names an event of a block.
type Event struct {
	Name string
	Data map[string]string
}

// EventUser is one receiver.
type EventUser struct {
	Type, ID   string
	Properties map[string]string
}

// SendRequest is one Event API request.
type SendRequest struct {
	BotID       string
	Development bool
	RestKey     string
	Event       Event
	Users       []EventUser
	Params      map[string]any
}

// SendReceipt is its answer.
type SendReceipt struct {
	TaskID string
	Raw    []byte
}

// SendResult is the outcome of a task.
type SendResult struct {
	AllRequestCount, SuccessCount, FailCount int
	Failures                                 []struct{ UserID string }
	Raw                                      []byte
}
