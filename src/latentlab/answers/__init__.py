"""What a student hands in: answers as a Markdown file, and the reports that they were put into."""
