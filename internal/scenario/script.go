package scenario

// Script is what one version of a bot says, ready to answer. It never changes and is shared by all
// who answer with it.
type Script struct {
	Version int64
	Content Content
	index   *index
}

// Compile makes a version's content ready to answer. It is done once per version and process, so it
// may take its time.
func Compile(version int64, content Content) *Script {
	return &Script{Version: version, Content: content, index: newIndex(content)}
}
